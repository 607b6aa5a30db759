use super::*;

use jsonwebtoken::{EncodingKey, Header, encode};
use ledger_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::config::Environment;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_780_000_000;

fn config(keys: &str, audience: Option<&str>) -> AuthConfig {
    let environment = Environment::default()
        .with("LEDGER_JWT_SECRET", keys)
        .with("LEDGER_JWT_AUDIENCE", audience.unwrap_or_default());
    AuthConfig::read(&environment).unwrap()
}

fn keyring(audience: Option<&str>) -> (Keyring, Clock) {
    let clock = Clock::at(Timestamp::from_unix(NOW));
    let config = config(SECRET, audience);
    (Keyring::try_new(&config, None, clock.clone()).unwrap(), clock)
}

fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

fn refused(keyring: &Keyring, token: &str) -> &'static str {
    match keyring.check(token) {
        Err(Refused::Why(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_good_token_tells_who_asks() {
    let (ring, _) = keyring(None);
    let token = signed(
        &json!({ "sub": "t1", "exp": NOW + 60, "tenant": "acme", "roles": ["trainer", "x"] }),
        SECRET,
    );
    let principal = ring.check(&token).unwrap();
    assert_eq!(principal.tenant.as_str(), "acme");
    assert_eq!(principal.trainer_in_question(None).unwrap().as_str(), "t1");
    assert_eq!(principal.trainer_in_question(Some("t1")).unwrap().as_str(), "t1");
    assert!(matches!(principal.trainer_in_question(Some("t2")), Err(Problem::Forbidden(_))));
    assert!(matches!(principal.require(&[Role::Auditor]), Err(Problem::Forbidden(_))));
}

#[test]
fn a_remembered_token_still_expires() {
    let (ring, clock) = keyring(None);
    let token = signed(&json!({ "sub": "t1", "exp": NOW + 60, "roles": ["trainer"] }), SECRET);
    assert!(ring.check(&token).is_ok());
    clock.set(Timestamp::from_unix(NOW + 60 + LEEWAY_S));
    assert_eq!(refused(&ring, &token), "The token has expired.");
}

#[test]
fn keys_are_replaced_also_for_tokens_that_are_remembered() {
    const NEXT: &str = "fedcba9876543210fedcba9876543210";
    let (ring, _) = keyring(None);
    let claims = json!({ "sub": "t1", "exp": NOW + 60, "roles": ["trainer"] });
    let (old, new) = (signed(&claims, SECRET), signed(&claims, NEXT));
    for (keys, is_old_good, is_new_good) in [
        (SECRET.to_owned(), true, false),
        (format!("{NEXT}\n{SECRET}\n"), true, true),
        (NEXT.to_owned(), false, true),
    ] {
        ring.replace_keys(&config(&keys, None));
        for _ in 0..2 {
            let good = (ring.check(&old).is_ok(), ring.check(&new).is_ok());
            assert_eq!(good, (is_old_good, is_new_good));
        }
    }
    assert!(refused(&ring, &old).contains("signature"));
}

#[test]
fn a_forged_or_unsigned_token_is_refused() {
    let (ring, _) = keyring(None);
    let claims = json!({ "sub": "t1", "exp": NOW + 60, "roles": ["admin"] });
    assert!(refused(&ring, &signed(&claims, "another secret")).contains("signature"));
    let good = signed(&claims, SECRET);
    let body = good.split('.').nth(1).unwrap();
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
    refused(&ring, &unsigned);
    let header = Header::new(Algorithm::HS384);
    let other = encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert!(refused(&ring, &other).contains("HS256"));
    refused(&ring, "nonsense");
    refused(&ring, &"x".repeat(TOKEN_BYTES_MAX + 1));
}

#[test]
fn times_and_audience_count() {
    let (ring, _) = keyring(Some("ledger"));
    let token = |claims: Value| signed(&claims, SECRET);
    let good = json!({ "sub": "s", "exp": NOW + 60, "aud": "ledger", "roles": ["service"] });
    assert!(ring.check(&token(good)).is_ok());
    assert!(!refused(&ring, &token(json!({ "sub": "s", "aud": "ledger" }))).is_empty());
    assert!(refused(&ring, &token(json!({ "sub": "s", "exp": NOW + 60 }))).contains("`aud`"));
    let other = json!({ "sub": "s", "exp": NOW + 60, "aud": "shop" });
    assert!(refused(&ring, &token(other)).contains("audience"));
    let early = json!({ "sub": "s", "exp": NOW + 900, "nbf": NOW + 600, "aud": "ledger" });
    assert!(refused(&ring, &token(early)).contains("not valid yet"));
}

#[test]
fn a_token_from_the_future_is_refused() {
    let (ring, _) = keyring(None);
    let at = |iat: i64| signed(&json!({ "sub": "s", "exp": NOW + 900, "iat": iat }), SECRET);
    assert!(ring.check(&at(NOW + LEEWAY_S)).is_ok(), "clocks differ");
    for _ in 0..2 {
        assert!(refused(&ring, &at(NOW + LEEWAY_S + 1)).contains("issued in the future"));
    }
}

#[test]
fn what_is_critical_and_unknown_is_refused() {
    let (ring, _) = keyring(None);
    let claims = json!({ "sub": "t1", "exp": NOW + 60, "roles": ["trainer"] });
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!("exp")] {
        let token =
            sealed(&json!({ "alg": "HS256", "crit": crit }).to_string(), &claims.to_string());
        assert!(refused(&ring, &token).contains("`crit`"), "{crit}");
    }
}

/// A token of a header and claims that are any text.
fn sealed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.unwrap())
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let (ring, _) = keyring(None);
    let exp = NOW + 60;
    for claims in [
        format!(r#"{{"sub":"t2","sub":"t1","exp":{exp}}}"#),
        format!(r#"{{"sub":"t1","exp":1,"exp":{exp}}}"#),
        format!(r#"{{"sub":"t1","exp":{exp},"roles":["trainer"],"roles":["auditor"]}}"#),
        format!(r#"{{"sub":"t1","exp":{exp},"tenant":"a","tenant":"b"}}"#),
    ] {
        let why = refused(&ring, &sealed(r#"{"alg":"HS256"}"#, &claims));
        assert!(why.contains("can't be read"), "{claims}: {why}");
    }
    let claims = format!(r#"{{"sub":"t1","exp":{exp}}}"#);
    refused(&ring, &sealed(r#"{"alg":"none","alg":"HS256"}"#, &claims));
    assert!(ring.check(&sealed(r#"{"alg":"HS256"}"#, &claims)).is_ok());
}

#[test]
fn a_number_that_no_float_holds_is_told_as_too_large() {
    let (ring, _) = keyring(None);
    let token = sealed(r#"{"alg":"HS256"}"#, r#"{"sub":"s","exp":1e400}"#);
    assert!(refused(&ring, &token).contains("too large"));
}

#[test]
fn a_service_names_the_trainer() {
    let (ring, _) = keyring(None);
    let token = signed(
        &json!({ "sub": "shop@example.test", "exp": NOW + 60, "roles": ["service"] }),
        SECRET,
    );
    let service = ring.check(&token).unwrap();
    assert_eq!(service.trainer_in_question(Some("t9")).unwrap().as_str(), "t9");
    assert!(matches!(service.trainer_in_question(None), Err(Problem::InvalidRequest(_))));
    assert!(matches!(service.trainer_in_question(Some("a@b")), Err(Problem::InvalidRequest(_))));
}
