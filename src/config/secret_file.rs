//! Secrets that are files: `NAME_FILE` names the file that holds what `NAME` would.

use std::path::{Path, PathBuf};

use super::{ConfigError, Environment};

/// Largest file that is read.
const BYTES_MAX: u64 = 16 * 1024;

/// A file that holds a secret. It may be read again at any time, since secrets change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    setting: String,
    path: PathBuf,
}

/// What a setting says, and the file that said it.
pub(super) struct Told {
    pub(super) text: String,
    pub(super) file: Option<SecretFile>,
}

impl SecretFile {
    /// What the file says now.
    ///
    /// # Errors
    /// When it can't be read, is too large for a secret, or is empty.
    pub fn read(&self) -> Result<String, ConfigError> {
        let text = read_setting(&self.setting, &self.path)?;
        if text.trim().is_empty() {
            return Err(ConfigError::bad(&self.setting, "the file that it names is empty"));
        }
        Ok(text.trim().to_owned())
    }
}

impl Environment {
    /// A secret: the setting itself, or what the file says that `NAME_FILE` names.
    pub(super) fn secret(&self, name: &str) -> Result<Option<Told>, ConfigError> {
        let setting = format!("{name}_FILE");
        match (self.get(name), self.path(&setting)) {
            (Some(_), Some(_)) => Err(ConfigError::bad(
                &setting,
                format!("{name} is set, too; leave out one of them"),
            )),
            (Some(text), None) => Ok(Some(Told { text: text.to_owned(), file: None })),
            (None, Some(path)) => {
                let file = SecretFile { setting, path };
                Ok(Some(Told { text: file.read()?, file: Some(file) }))
            }
            (None, None) => Ok(None),
        }
    }
}

/// A setting that is a file.
pub(super) fn read_setting(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::File {
        setting: setting.into(),
        path: path.into(),
        hint: "the service's user must be able to read it",
        source,
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > BYTES_MAX {
        return Err(ConfigError::bad(setting, "its file is larger than 16 KiB"));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
