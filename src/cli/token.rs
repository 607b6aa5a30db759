//! `ledger token`.

use anyhow::Context;
use clap::Args;
use jsonwebtoken::{EncodingKey, Header, encode};
use ledger_domain::id::{Tenant, TrainerId};
use serde::Serialize;

use super::failure::Failure;
use crate::clock::Clock;
use crate::config::{AuthConfig, ConfigErrors, DEFAULT_TENANT, Environment, TenantsConfig};
use crate::roles::Role;

/// Longest validity, in seconds: a year.
const TTL_MAX_S: i64 = 365 * 24 * 3_600;

/// Print a token for the API
///
/// The token is signed with LEDGER_JWT_SECRET (the first key in it), as your applications sign
/// theirs; for a tenant that has keys of its own, with the one in its folder. Send it as
/// `Authorization: Bearer TOKEN`.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// What the bearer may do; several are separated by commas
    #[arg(long, value_name = "ROLE", required = true, value_delimiter = ',')]
    role: Vec<Role>,
    /// Who the bearer is: a trainer's id, the name of a service or of a person
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// Whose data the bearer may ask about
    #[arg(long, default_value = DEFAULT_TENANT)]
    tenant: String,
    /// How the bearer proved who they are, as in `mfa`; several are separated by commas
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    amr: Vec<String>,
    /// How long the token is valid: a number with s, m, h or d behind it
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_ttl)]
    ttl: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    tenant: &'a str,
    roles: Vec<&'static str>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    amr: &'a [String],
}

impl Token {
    pub(super) fn run(&self, environment: &Environment) -> Result<(), Failure> {
        let tenant = Tenant::try_new(&self.tenant).map_err(Failure::usage)?;
        let config = keys_of(&tenant, environment).map_err(Failure::usage)?;
        if self.role.contains(&Role::Trainer) {
            TrainerId::try_new(&self.subject).map_err(Failure::usage)?;
        }
        let now = Clock::system().now().unix();
        let (until, subject) = (now + self.ttl, &self.subject);
        let token = make(&config, &self.role, &self.amr, subject, &self.tenant, (now, until));
        println!("{}", token.map_err(Failure::usage)?);
        Ok(())
    }
}

/// What a tenant's tokens are signed with: its own keys, else those of the process.
fn keys_of(tenant: &Tenant, environment: &Environment) -> Result<AuthConfig, ConfigErrors> {
    if tenant.as_str() != DEFAULT_TENANT
        && let Some(own) = TenantsConfig::read(environment)?.own_keys(tenant)?
    {
        return Ok(own);
    }
    Ok(AuthConfig::read(environment)?)
}

/// A token that is valid from an instant until another.
pub(crate) fn make(
    config: &AuthConfig,
    roles: &[Role],
    amr: &[String],
    subject: &str,
    tenant: &str,
    (from, until): (i64, i64),
) -> anyhow::Result<String> {
    let claims = Claims {
        sub: subject,
        tenant,
        roles: roles.iter().map(|role| role.as_str()).collect(),
        iat: from,
        exp: until,
        aud: config.audience.as_deref(),
        amr,
    };
    let key = config.keys().first().context(
        "LEDGER_JWT_SECRET is not set: with LEDGER_JWKS alone, only who has the private keys can \
         make tokens",
    )?;
    let key = EncodingKey::from_secret(key.reveal().as_bytes());
    Ok(encode(&Header::default(), &claims, &key)?)
}

fn parse_ttl(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time like 90s, 15m, 1h or 7d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).filter(|s| (1..=TTL_MAX_S).contains(s));
    seconds.ok_or_else(|| "a token is valid for one second to 365 days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse_ttl("90s"), Ok(90));
        assert_eq!(parse_ttl("1h"), Ok(3_600));
        for wrong in ["", "h", "1", "1w", "-1h", "0s", "9999999999999999d", "400d", "é"] {
            assert!(parse_ttl(wrong).is_err(), "{wrong}");
        }
    }
}
