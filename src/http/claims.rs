//! What a token says, and what is wrong with it: one sentence for each claim.

use serde::Deserialize;
use serde_json::Value;

/// The last second of the year 9999. A later one is a mistake, most likely milliseconds.
const SECOND_MAX: f64 = 253_402_300_799.0;

/// The claims that the ledger has a use for, as they stand in a token; others may be there too, and
/// none of these twice. Null counts as not there.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    tenant: Option<Value>,
    trainer: Option<Value>,
    roles: Option<Value>,
    amr: Option<Value>,
}

/// What a token says.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: String,
    /// In seconds since 1970, like the next two.
    pub(super) expires_at: i64,
    pub(super) valid_from: i64,
    pub(super) issued_at: i64,
    pub(super) tenant: Option<String>,
    pub(super) trainer: Option<String>,
    pub(super) roles: Vec<String>,
    /// How the bearer proved who they are (RFC 8176).
    pub(super) amr: Vec<String>,
}

impl Claims {
    /// The claims of a verified token; else the first one that can't be taken.
    pub(super) fn try_new(told: &Told) -> Result<Self, &'static str> {
        const EXP: [&str; 2] = [
            "The token's `exp` is not a number: give the second since 1970 at which it expires.",
            "The token's `exp` is after the year 9999: give seconds since 1970, not milliseconds.",
        ];
        const NBF: [&str; 2] = [
            "The token's `nbf` is not a number: give the second since 1970 from which it is valid.",
            "The token's `nbf` is after the year 9999: give seconds since 1970, not milliseconds.",
        ];
        const IAT: [&str; 2] = [
            "The token's `iat` is not a number: give the second since 1970 at which it was issued.",
            "The token's `iat` is after the year 9999: give seconds since 1970, not milliseconds.",
        ];
        Ok(Self {
            subject: text(told.sub.as_ref(), "The token's `sub` is not a text.")?
                .ok_or("The token lacks `sub`: who asks.")?,
            expires_at: second(told.exp.as_ref(), EXP)?
                .ok_or("The token lacks `exp`: the second since 1970 at which it expires.")?,
            valid_from: second(told.nbf.as_ref(), NBF)?.unwrap_or(i64::MIN),
            issued_at: second(told.iat.as_ref(), IAT)?.unwrap_or(i64::MIN),
            tenant: text(told.tenant.as_ref(), "The token's `tenant` is not a text.")?,
            trainer: text(told.trainer.as_ref(), "The token's `trainer` is not a text.")?,
            roles: texts(told.roles.as_ref(), "The token's `roles` is not a list of texts.")?,
            amr: texts(told.amr.as_ref(), "The token's `amr` is not a list of texts.")?,
        })
    }
}

fn text(claim: Option<&Value>, wrong: &'static str) -> Result<Option<String>, &'static str> {
    claim.map(|value| value.as_str().map(str::to_owned).ok_or(wrong)).transpose()
}

/// RFC 7519 allows fractions of a second; nobody needs them here.
#[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates, as it should here")]
fn second(
    claim: Option<&Value>,
    [no_number, too_late]: [&'static str; 2],
) -> Result<Option<i64>, &'static str> {
    let Some(value) = claim else { return Ok(None) };
    let seconds = value.as_f64().ok_or(no_number)?;
    if seconds > SECOND_MAX { Err(too_late) } else { Ok(Some(seconds as i64)) }
}

fn texts(claim: Option<&Value>, wrong: &'static str) -> Result<Vec<String>, &'static str> {
    let Some(value) = claim else { return Ok(Vec::new()) };
    let texts = value.as_array().ok_or(wrong)?;
    texts.iter().map(|text| text.as_str().map(str::to_owned).ok_or(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value) -> Result<Claims, &'static str> {
        Claims::try_new(&Told::deserialize(claims).expect("an object"))
    }

    #[track_caller]
    fn check(claims: &Value, told: &[&str]) {
        let why = read(claims).expect_err("claims that can't be taken");
        assert!(told.iter().all(|part| why.contains(part)), "{told:?} in {why}");
        assert_eq!(why.matches(". ").count(), 0, "one sentence: {why}");
    }

    #[test]
    fn each_claim_has_its_own_sentence() {
        check(&json!({ "exp": 1 }), &["lacks `sub`"]);
        check(&json!({ "sub": 7, "exp": 1 }), &["`sub` is not a text"]);
        for lacking in [json!({ "sub": "s" }), json!({ "sub": "s", "exp": null })] {
            check(&lacking, &["lacks `exp`", "second since 1970"]);
        }
        for (claim, when) in [("exp", "expires"), ("nbf", "is valid"), ("iat", "was issued")] {
            let with = |value: Value| {
                let mut claims = json!({ "sub": "s", "exp": 1 });
                claims[claim] = value;
                claims
            };
            let quoted = format!("`{claim}`");
            for wrong in [json!("1780000000"), json!(true), json!({}), json!([1])] {
                check(&with(wrong), &[&quoted, "not a number", when]);
            }
            for huge in [json!(1_780_000_000_000_i64), json!(u64::MAX), json!(1e300)] {
                check(&with(huge), &[&quoted, "year 9999", "milliseconds"]);
            }
            assert!(read(&with(json!(1_780_000_000.75))).is_ok(), "{claim}");
            assert!(read(&with(json!(-1e300))).is_ok(), "long ago: {claim}");
        }
        check(&json!({ "sub": "s", "exp": 1, "roles": "admin" }), &["`roles`", "list"]);
        check(&json!({ "sub": "s", "exp": 1, "roles": [1] }), &["`roles`", "list"]);
        check(&json!({ "sub": "s", "exp": 1, "amr": "mfa" }), &["`amr`", "list"]);
        check(&json!({ "sub": "s", "exp": 1, "tenant": 1 }), &["`tenant`"]);
    }
}
