//! What a token says, and what is wrong with it: one sentence for each claim.

use serde_json::{Map, Value};

/// The last second of the year 9999. A later one is a mistake, most likely milliseconds.
const SECOND_MAX: f64 = 253_402_300_799.0;

/// What a token says. Claims that the ledger has no use for may be there too.
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
}

impl Claims {
    /// The claims of a verified token; else the first one that can't be taken.
    pub(super) fn try_new(claims: &Value) -> Result<Self, &'static str> {
        let Value::Object(claims) = claims else {
            return Err("The token's claims are not a JSON object.");
        };
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
            subject: text(claims, "sub", "The token's `sub` is not a text.")?
                .ok_or("The token lacks `sub`: who asks.")?,
            expires_at: second(claims, "exp", EXP)?
                .ok_or("The token lacks `exp`: the second since 1970 at which it expires.")?,
            valid_from: second(claims, "nbf", NBF)?.unwrap_or(i64::MIN),
            issued_at: second(claims, "iat", IAT)?.unwrap_or(i64::MIN),
            tenant: text(claims, "tenant", "The token's `tenant` is not a text.")?,
            trainer: text(claims, "trainer", "The token's `trainer` is not a text.")?,
            roles: roles(claims)?,
        })
    }
}

/// A claim that is there; null counts as not there.
fn given<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).filter(|value| !value.is_null())
}

fn text(
    claims: &Map<String, Value>,
    name: &str,
    wrong: &'static str,
) -> Result<Option<String>, &'static str> {
    let text = given(claims, name).map(|value| value.as_str().map(str::to_owned).ok_or(wrong));
    text.transpose()
}

/// RFC 7519 allows fractions of a second; nobody needs them here.
#[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates, as it should here")]
fn second(
    claims: &Map<String, Value>,
    name: &str,
    [no_number, too_late]: [&'static str; 2],
) -> Result<Option<i64>, &'static str> {
    let Some(value) = given(claims, name) else { return Ok(None) };
    let seconds = value.as_f64().ok_or(no_number)?;
    if seconds > SECOND_MAX { Err(too_late) } else { Ok(Some(seconds as i64)) }
}

fn roles(claims: &Map<String, Value>) -> Result<Vec<String>, &'static str> {
    const WRONG: &str = "The token's `roles` is not a list of texts.";
    let Some(value) = given(claims, "roles") else { return Ok(Vec::new()) };
    let roles = value.as_array().ok_or(WRONG)?;
    roles.iter().map(|role| role.as_str().map(str::to_owned).ok_or(WRONG)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(claims: &Value, told: &[&str]) {
        let why = Claims::try_new(claims).expect_err("claims that can't be taken");
        assert!(told.iter().all(|part| why.contains(part)), "{told:?} in {why}");
        assert_eq!(why.matches(". ").count(), 0, "one sentence: {why}");
    }

    #[test]
    fn each_claim_has_its_own_sentence() {
        check(&json!([]), &["not a JSON object"]);
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
            assert!(Claims::try_new(&with(json!(1_780_000_000.75))).is_ok(), "{claim}");
            assert!(Claims::try_new(&with(json!(-1e300))).is_ok(), "long ago: {claim}");
        }
        check(&json!({ "sub": "s", "exp": 1, "roles": "admin" }), &["`roles`", "list"]);
        check(&json!({ "sub": "s", "exp": 1, "roles": [1] }), &["`roles`", "list"]);
        check(&json!({ "sub": "s", "exp": 1, "tenant": 1 }), &["`tenant`"]);
    }
}
