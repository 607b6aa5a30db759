//! The keys of checkpoints: Ed25519 in PEM, as other programs make and read them. A private key
//! lies in a file outside the database: what its administrator could sign would prove nothing about
//! what its administrator did.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{SigningKey, VerifyingKey};

/// Largest file that is read; a key has some hundred bytes.
const BYTES_MAX: u64 = 16 * 1024;

/// Makes a key, in a new file that its owner alone can read.
pub(crate) fn make(path: &Path) -> anyhow::Result<SigningKey> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a key that could be foretold would sign nothing"
    )]
    let key = SigningKey::from_bytes(&rand::random());
    // Without its public half, which not every program reads.
    let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let pem = bytes.to_pkcs8_pem(LineEnding::LF).context("write a key as PEM")?;
    let written = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    written().with_context(|| format!("write the key to {}", path.display()))?;
    Ok(key)
}

/// The private key in a file.
pub(crate) fn private(path: &Path) -> anyhow::Result<SigningKey> {
    let wrong = || format!("{} holds no private key of Ed25519 in PEM (PKCS#8)", path.display());
    SigningKey::from_pkcs8_pem(&read(path)?).with_context(wrong)
}

/// The public key in a file.
pub(crate) fn public(path: &Path) -> anyhow::Result<VerifyingKey> {
    let wrong = || format!("{} holds no public key of Ed25519 in PEM", path.display());
    VerifyingKey::from_public_key_pem(&read(path)?).with_context(wrong)
}

/// A public key for others.
pub(crate) fn to_pem(key: &VerifyingKey) -> anyhow::Result<String> {
    key.to_public_key_pem(LineEnding::LF).context("write a public key as PEM")
}

/// A small file of text.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("{} can't be read", path.display());
    if fs::metadata(path).with_context(unreadable)?.len() > BYTES_MAX {
        bail!("{} is larger than 16 KiB", path.display());
    }
    fs::read_to_string(path).with_context(unreadable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_no_other_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (path, public_path) = (folder.path().join("key.pem"), folder.path().join("public.pem"));
        let key = make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(private(&path).unwrap(), key);
        fs::write(&public_path, to_pem(&key.verifying_key()).unwrap()).unwrap();
        assert_eq!(public(&public_path).unwrap(), key.verifying_key());
        assert!(make(&path).is_err(), "the file is there already");
        assert!(private(&public_path).is_err());
        assert!(public(&path).is_err());
    }
}
