//! Where the public keys of token makers are: a file, or a URL.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hyper::Uri;

use super::{ConfigError, Environment};
use crate::jwks::{BYTES_MAX, KeySet};

const SETTING: &str = "LEDGER_JWKS";

/// Where the keys are that tokens may be signed with, beside or instead of shared secrets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JwksConfig {
    /// A file, and what it held when it was read last.
    File(PathBuf, KeySet),
    /// They are fetched while the service runs.
    Url(JwksUrl),
}

/// A URL that nobody on the way can answer in the place of the one who is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JwksUrl(Uri);

impl JwksConfig {
    /// Reads where the keys are; none if nobody says.
    ///
    /// # Errors
    /// When a file can't be used, or a URL isn't safe.
    pub(crate) fn read(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some(text) = environment.get(SETTING) else { return Ok(None) };
        if text.contains("://") {
            return JwksUrl::parse(text).map(|url| Some(Self::Url(url)));
        }
        let path = PathBuf::from(text);
        let set = read_file(&path)?;
        Ok(Some(Self::File(path, set)))
    }

    /// The same with what the file holds now; none if it is the same, or if there is no file.
    ///
    /// # Errors
    /// When the file can't be used.
    pub(crate) fn reread(&self) -> Result<Option<Self>, ConfigError> {
        let Self::File(path, known) = self else { return Ok(None) };
        let set = read_file(path)?;
        Ok((set != *known).then(|| Self::File(path.clone(), set)))
    }
}

fn read_file(path: &Path) -> Result<KeySet, ConfigError> {
    let unreadable = |source| ConfigError::File {
        setting: SETTING.into(),
        path: path.into(),
        hint: "it is a file, or a URL that begins with https://; the service's user must be able \
               to read it",
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > BYTES_MAX as u64 {
        return Err(ConfigError::bad(SETTING, "its file is larger than 256 KiB"));
    }
    let json = std::fs::read(path).map_err(unreadable)?;
    KeySet::parse(&json).map_err(|error| ConfigError::bad(SETTING, format!("of its file, {error}")))
}

impl JwksUrl {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let bad = |hint: &str| ConfigError::bad(SETTING, hint);
        let uri: Uri = text.parse().map_err(|_| bad("it is not a URL"))?;
        let host = uri.host().unwrap_or_default();
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("its URL has a password in it, which the service doesn't send"));
        }
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => Ok(Self(uri)),
            Some("http") if is_this_machine(host) => Ok(Self(uri)),
            Some("http") => Err(bad(
                "without TLS, anybody on the way could answer with keys of their own: give an \
                 https:// URL, or a file",
            )),
            _ => Err(bad("it is not a file or an https:// URL")),
        }
    }

    /// The URL itself.
    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether the way there is encrypted; if not, it doesn't leave this machine.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

    use super::*;
    use crate::jwks::testing::{Pair, set_of};

    fn read(text: &str) -> Result<Option<JwksConfig>, ConfigError> {
        JwksConfig::read(&Environment::default().with(SETTING, text))
    }

    #[test]
    fn a_url_is_safe_or_stays_on_this_machine() {
        for good in [
            "https://id.example.test/.well-known/jwks.json",
            "http://127.0.0.1:9000/keys",
            "http://localhost/keys",
            "http://[::1]:9000/keys",
        ] {
            assert!(matches!(read(good), Ok(Some(JwksConfig::Url(_)))), "{good}");
        }
        for wrong in [
            "http://id.example.test/keys",
            "http://10.0.0.1/keys",
            "http://127.0.0.1.example.test/keys",
            "http://localhost@example.test/keys",
            "https://me:hunter2@example.test/keys",
            "ftp://localhost/keys",
            "file:///etc/keys",
            "https://",
        ] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.contains(SETTING) && !told.contains("hunter2"), "{wrong}: {told}");
        }
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn a_file_is_read_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let (one, two) = (Pair::new(Algorithm::EdDSA, "1"), Pair::new(Algorithm::ES256, "2"));
        std::fs::write(&path, set_of(&[&one])).unwrap();
        let config = read(path.to_str().unwrap()).unwrap().unwrap();
        assert!(config.reread().unwrap().is_none(), "nothing has changed");
        std::fs::write(&path, set_of(&[&one, &two])).unwrap();
        let fresh = config.reread().unwrap();
        assert!(matches!(fresh, Some(JwksConfig::File(_, set)) if set.len() == 2));
        for wrong in ["", "{}", r#"{"keys":[]}"#, &" ".repeat(BYTES_MAX + 1)] {
            std::fs::write(&path, wrong).unwrap();
            assert!(config.reread().unwrap_err().to_string().contains(SETTING));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(config.reread().is_err() && read(path.to_str().unwrap()).is_err());
    }
}
