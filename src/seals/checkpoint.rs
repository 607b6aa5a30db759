//! Signed checkpoints: the text that docs/log-format.md describes, a signed note as C2SP has it
//! (c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ledger_domain::time::Timestamp;
use ledger_log::Hash;
use ledger_log::seal::verify::Claim;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a name may be that stands before the tenant's in the origin.
pub(crate) const NAME_DEFAULT: &str = "ledger";
/// The kind of the signature, as signed notes number them.
const ED25519: u8 = 0x01;
const SIGNATURE_MARK: &str = "\u{2014} ";

/// What is signed: that a log had this root at this size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Whose log it is, in the operator's own words.
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) log_id: Uuid,
    pub(crate) claim: Claim,
    pub(crate) epoch: i32,
    /// When the last event was accepted.
    pub(crate) recorded_at: Timestamp,
}

/// Why a text is no checkpoint that counts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("it is no checkpoint: {0}")]
    Form(&'static str),
    #[error("it isn't signed by this key: {0}")]
    Signature(&'static str),
}

impl Checkpoint {
    /// The first line, which is the name of the key, too.
    pub(crate) fn origin(&self) -> String {
        format!("{}/{}.{}", self.name, self.tenant, self.log_id)
    }

    fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\nepoch {}\nrecorded_at {}\n",
            self.origin(),
            self.claim.size,
            STANDARD.encode(self.claim.root),
            self.epoch,
            self.recorded_at
        )
    }

    /// The whole text with its signature.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        let (text, origin) = (self.text(), self.origin());
        let signature = key.sign(text.as_bytes()).to_bytes();
        let bytes = [&key_id(&origin, &key.verifying_key())[..], &signature].concat();
        format!("{text}\n{SIGNATURE_MARK}{origin} {}\n", STANDARD.encode(bytes))
    }

    /// Reads a text that this key has signed; signatures by others beside it don't matter.
    pub(crate) fn verified(note: &str, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        const UNSIGNED: CheckpointError = CheckpointError::Form("there is no signature line");
        // Signatures stand behind the last empty line.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(UNSIGNED)?;
        let text = format!("{text}\n");
        let checkpoint = parse(&text)?;
        let (origin, mut is_named) = (checkpoint.origin(), false);
        for line in signatures.lines() {
            let signed = line.strip_prefix(SIGNATURE_MARK).and_then(|line| line.split_once(' '));
            let (name, encoded) = signed.ok_or(UNSIGNED)?;
            let bytes = STANDARD.decode(encoded).map_err(|_| UNSIGNED)?;
            let Some((id, signature)) = bytes.split_at_checked(4) else { return Err(UNSIGNED) };
            if name != origin || id != key_id(&origin, key) {
                continue;
            }
            is_named = true;
            let signature = Signature::from_slice(signature).map_err(|_| UNSIGNED)?;
            if key.verify_strict(text.as_bytes(), &signature).is_ok() {
                return Ok(checkpoint);
            }
        }
        Err(CheckpointError::Signature(if is_named {
            "the signature doesn't fit the text, which was altered"
        } else {
            "no signature names it"
        }))
    }

    /// The checkpoint in a file.
    pub(crate) fn read(path: &Path, key: &VerifyingKey) -> anyhow::Result<Self> {
        let note = super::key::read(path)?;
        Self::verified(&note, key).with_context(|| format!("{} can't be used", path.display()))
    }
}

/// What a key is called beside its name.
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]);
    let hash = hash.chain_update(key.as_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
    const ORIGIN: CheckpointError =
        CheckpointError::Form("its first line isn't NAME/TENANT.LOG_ID");
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let (name, log) = next().rsplit_once('/').ok_or(ORIGIN)?;
    let (tenant, log_id) = log.rsplit_once('.').ok_or(ORIGIN)?;
    let size = next().parse().map_err(|_| CheckpointError::Form("its size is no number"))?;
    let root = STANDARD.decode(next()).ok().and_then(|root| Hash::try_from(root).ok());
    let (epoch, recorded_at) = (next().strip_prefix("epoch "), next());
    let checkpoint = Checkpoint {
        name: name.to_owned(),
        tenant: tenant.to_owned(),
        log_id: log_id.parse().map_err(|_| ORIGIN)?,
        claim: Claim { size, root: root.ok_or(CheckpointError::Form("its root is no hash"))? },
        epoch: epoch
            .and_then(|epoch| epoch.parse().ok())
            .ok_or(CheckpointError::Form("it has no epoch"))?,
        recorded_at: recorded_at
            .strip_prefix("recorded_at ")
            .and_then(|at| at.parse().ok())
            .ok_or(CheckpointError::Form("it doesn't say when its last event was recorded"))?,
    };
    // One text for one meaning.
    if checkpoint.text() == text && size > 0 {
        return Ok(checkpoint);
    }
    Err(CheckpointError::Form("it isn't spelt as checkpoints are"))
}

/// Whether this can stand before the tenant in an origin.
pub(crate) fn check_name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    if name.is_empty() || name.len() > 200 || !name.chars().all(fits) {
        return Err("a name is 1 to 200 of A-Z a-z 0-9 - . _ /".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        Checkpoint {
            name: NAME_DEFAULT.to_owned(),
            tenant: "default".to_owned(),
            log_id: Uuid::from_u128(1),
            claim: Claim { size: 17, root: [3; 32] },
            epoch: 1,
            recorded_at: Timestamp::from_micros(1_780_000_001_000_002),
        }
    }

    /// The key of RFC 8032, 7.1, test 1.
    fn key() -> SigningKey {
        let mut seed = [0; 32];
        let text = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        hex::decode_to_slice(text, &mut seed).unwrap();
        SigningKey::from_bytes(&seed)
    }

    #[test]
    fn a_checkpoint_is_the_documented_text() {
        let text = "ledger/default.00000000-0000-0000-0000-000000000001\n17\n\
             AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\nepoch 1\n\
             recorded_at 2026-05-28T20:26:41.000002Z\n";
        let note = example().sign(&key());
        let signature = note.strip_prefix(text).expect("the text, then the signature");
        let line = "\n\u{2014} ledger/default.00000000-0000-0000-0000-000000000001 ";
        let encoded = signature.strip_prefix(line).and_then(|rest| rest.strip_suffix('\n'));
        assert_eq!(
            encoded,
            Some(
                "dU3mYLo/0p4rlImVunFKVb/8IrhmiYI9pbXpR6dHeZjehP\
                 I8oBWv+NTrux4hesj4OCkbVji3fbpITEPphFsZhhrsmQ0="
            )
        );
        assert_eq!(Checkpoint::verified(&note, &key().verifying_key()), Ok(example()));
    }

    #[test]
    fn what_another_key_signed_or_was_altered_does_not_count() {
        let (note, public) = (example().sign(&key()), key().verifying_key());
        let other = SigningKey::from_bytes(&[7; 32]);
        let by = |note: &str, key: &VerifyingKey| Checkpoint::verified(note, key).unwrap_err();
        assert!(matches!(by(&note, &other.verifying_key()), CheckpointError::Signature(_)));
        let altered = note.replacen("\n17\n", "\n18\n", 1);
        assert!(matches!(by(&altered, &public), CheckpointError::Signature(_)));
        for wrong in ["", "x", "\n\n", &note.replace("epoch 1", "epoch"), &note.replace('=', "")] {
            assert!(matches!(by(wrong, &public), CheckpointError::Form(_)), "{wrong}");
        }
        let twice = format!("{note}{}", other_line(&other));
        assert_eq!(Checkpoint::verified(&twice, &public), Ok(example()), "a witness beside it");
    }

    fn other_line(key: &SigningKey) -> String {
        let note = example().sign(key);
        note.lines().last().map(|line| format!("{line}\n")).expect("a line")
    }

    #[test]
    fn names_are_checked() {
        assert!(check_name("example.com/billing").is_ok());
        for wrong in ["", "a b", "a+b", "a\nb"] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
