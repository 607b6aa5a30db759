//! Where settings come from: the process's environment, or the file that `ledger dev` left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The file in a data folder that tells other subcommands what `ledger dev` chose.
pub const DEV_FILE: &str = "dev.env";

/// Largest settings file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Settings by name. An empty value counts as unset.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        texts.collect()
    }

    /// These settings, overlaid with those of `DIR/dev.env`. The folder was named by a flag, so the
    /// file wins.
    ///
    /// # Errors
    /// When there is no such file, or it isn't one that `ledger dev` wrote.
    pub fn with_data_dir(mut self, dir: &Path) -> Result<Self, ConfigError> {
        let path = dir.join(DEV_FILE);
        let unreadable = |source| ConfigError::File {
            setting: "--data-dir".into(),
            path: path.clone(),
            hint: "run `ledger dev` with the same --data-dir first",
            source,
        };
        let size = std::fs::metadata(&path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(ConfigError::bad(
                "--data-dir",
                "dev.env is too large to be a settings file",
            ));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        for (name, value) in parse_env_file(&text)? {
            // Also over the other way to say the same.
            self.0.remove(&format!("{name}_FILE"));
            self.0.remove(name.strip_suffix("_FILE").unwrap_or_default());
            self.0.insert(name, value);
        }
        Ok(self)
    }

    /// The same settings with one more, which wins.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// A setting, unless it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The set settings whose names begin with a prefix.
    pub fn starting_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.keys().filter_map(|name| Some((name.as_str(), self.get(name)?)));
        all.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// A path that a setting names.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(settings: I) -> Self {
        Self(settings.into_iter().collect())
    }
}

/// `NAME=value` lines; values may stand in single quotes, so that a shell can read the file too.
fn parse_env_file(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut settings = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(ConfigError::bad("--data-dir", "dev.env has a line without `=`"));
        };
        let value = value.trim();
        let bare = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
        settings.insert(name.trim().to_owned(), bare.to_owned());
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_a_shell_would() {
        let parsed = parse_env_file("# made by ledger dev\nA=1\n\nB='x=y & z'\n").unwrap();
        assert_eq!(parsed["A"], "1");
        assert_eq!(parsed["B"], "x=y & z");
        assert!(parse_env_file("nonsense").is_err());
    }

    #[test]
    fn an_empty_value_is_unset() {
        let environment = Environment::default().with("A", " ").with("STRIPE_PRICE_X", "price_1");
        assert_eq!(environment.get("A"), None);
        let prices: Vec<_> = environment.starting_with("STRIPE_PRICE_").collect();
        assert_eq!(prices, [("STRIPE_PRICE_X", "price_1")]);
    }

    #[test]
    fn the_file_of_a_data_folder_wins() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(DEV_FILE), "LEDGER_JWT_SECRET=from-file\n").unwrap();
        let environment = Environment::default().with("LEDGER_JWT_SECRET", "from-environment");
        let both = environment.clone().with_data_dir(dir.path()).unwrap();
        assert_eq!(both.get("LEDGER_JWT_SECRET"), Some("from-file"));
        let error = environment.with_data_dir(&dir.path().join("absent")).err().unwrap();
        assert!(error.to_string().contains("ledger dev"), "{error}");
    }
}
