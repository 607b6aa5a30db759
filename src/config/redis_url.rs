//! Where nodes keep together what they remember of trainers.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::{ConfigError, Environment};

const SETTING: &str = "REDIS_URL";

/// A Redis server, and how to sign in there. It prints as `***`.
#[derive(Clone)]
pub struct RedisConfig(ConnectionInfo);

impl RedisConfig {
    /// Reads where it is; none if nobody says.
    ///
    /// # Errors
    /// When it isn't the URL of a Redis server, or asks not to check who answers.
    pub fn read(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some(told) = environment.secret(SETTING)? else { return Ok(None) };
        let bad = |hint: &str| ConfigError::bad(SETTING, hint);
        let is_known = ["redis://", "rediss://", "redis+unix://"]
            .iter()
            .any(|scheme| told.text.starts_with(scheme));
        let info = told.text.as_str().into_connection_info();
        let (true, Ok(info)) = (is_known, info) else {
            return Err(bad(
                "it must look like redis://:password@host:6379, rediss://user:password@host:6379 \
                 (TLS) or redis+unix:///path?pass=password, a password with its special \
                 characters written as %XX",
            ));
        };
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(bad("`#insecure` would let anybody on the way answer: leave it out"));
        }
        // Small questions wait for nothing.
        let now = TcpSettings::default().set_nodelay(true);
        Ok(Some(Self(info.set_tcp_settings(now))))
    }

    /// Where it is, for the one who connects.
    pub(crate) fn reveal(&self) -> ConnectionInfo {
        self.0.clone()
    }

    /// Whether the way there is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.0.addr(), ConnectionAddr::TcpTls { .. })
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<RedisConfig>, ConfigError> {
        RedisConfig::read(&Environment::default().with(SETTING, text))
    }

    #[test]
    fn it_is_a_url_of_redis() {
        for (good, is_encrypted) in [
            ("redis://localhost", false),
            ("redis://:hunter2@10.0.0.1:6380/3", false),
            ("rediss://ledger:hunter2@cache.example.test", true),
            ("redis+unix:///run/redis.sock?pass=hunter2", false),
        ] {
            let config = read(good).unwrap().unwrap();
            assert_eq!(config.is_encrypted(), is_encrypted, "{good}");
            assert_eq!(format!("{config:?}"), "***");
        }
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn what_is_none_is_refused_without_being_shown() {
        for wrong in [
            "localhost:6379",
            "http://hunter2@localhost",
            "redis://:hunter2@",
            "redis://:hunter2@localhost:port",
            "redis://:hunter2@localhost/first",
            "rediss://:hunter2@localhost/#insecure",
            "/run/hunter2.sock",
        ] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.contains(SETTING) && !told.contains("hunter2"), "{wrong}: {told}");
        }
    }
}
