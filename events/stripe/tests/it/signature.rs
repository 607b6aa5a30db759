//! The signature of a webhook, from outside.

use ledger_stripe::signature::{
    HEADER_BYTES_MAX, SIGNATURES_MAX, SecretError, SignatureError, SigningSecret, TOLERANCE_S,
    sign, verify,
};

const NOW: i64 = 1_790_000_000;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

fn secrets(list: &str) -> Vec<SigningSecret> {
    SigningSecret::parse_list(list).unwrap()
}

fn check(header: &str, list: &str) -> Result<(), SignatureError> {
    verify(header, BODY, &secrets(list), NOW, TOLERANCE_S).map(|_| ())
}

fn signed_with(secret: &str, at: i64) -> String {
    sign(&secrets(secret)[0], at, BODY)
}

fn v1_of(header: &str) -> &str {
    header.split_once("v1=").unwrap().1
}

#[test]
fn the_signed_message_is_the_timestamp_a_dot_and_the_body() {
    // Computed with `openssl dgst -sha256 -hmac whsec_test` over `1790000000.{"id":"evt_1"}`.
    assert_eq!(
        signed_with("whsec_test", NOW),
        "t=1790000000,v1=e32657f3e678d33b41ec084c16ac0e125d25480a06cb3902286dc5942c6fd259"
    );
    assert_eq!(check(&signed_with("whsec_test", NOW), "whsec_test"), Ok(()));
}

#[test]
fn any_signature_under_any_secret_is_enough() {
    let (old, new) = (signed_with("whsec_old", NOW), signed_with("whsec_new", NOW));
    let both = format!("{old},v1={}", v1_of(&new));
    for list in ["whsec_old", "whsec_new", "whsec_other, whsec_new", "whsec_old,whsec_new"] {
        assert_eq!(check(&both, list), Ok(()), "{list}");
    }
    assert_eq!(check(&both, "whsec_other"), Err(SignatureError::NoMatch));
}

#[test]
fn other_schemes_and_unreadable_signatures_neither_help_nor_harm() {
    let good = signed_with("whsec_a", NOW);
    assert_eq!(check(&format!("{good},v0=abc,v1=nothex,v2=xyz"), "whsec_a"), Ok(()));
    let only_v0 = good.replace("v1=", "v0=");
    assert_eq!(check(&only_v0, "whsec_a"), Err(SignatureError::NoSignature));
    let short = format!("t={NOW},v1={}", &v1_of(&good)[..62]);
    assert_eq!(check(&short, "whsec_a"), Err(SignatureError::NoMatch));
}

#[test]
fn what_changes_on_the_way_is_noticed() {
    let header = signed_with("whsec_a", NOW);
    let secrets = secrets("whsec_a");
    let changed = verify(&header, br#"{"id":"evt_2"}"#, &secrets, NOW, TOLERANCE_S);
    assert_eq!(changed.unwrap_err(), SignatureError::NoMatch);
    let later = header.replace("t=1790000000", "t=1790000001");
    assert_eq!(check(&later, "whsec_a"), Err(SignatureError::NoMatch));
    // The digits are part of the message: another way to write the number is another message.
    let padded = header.replace("t=", "t=0");
    assert_eq!(check(&padded, "whsec_a"), Err(SignatureError::NoMatch));
}

#[test]
fn the_tolerance_holds_in_both_directions_and_includes_its_ends() {
    for (at, expect) in [
        (NOW - 300, Ok(())),
        (NOW + 300, Ok(())),
        (NOW - 301, Err(SignatureError::TooOld { age_s: 301, tolerance_s: 300 })),
        (NOW + 301, Err(SignatureError::TooNew { ahead_s: 301, tolerance_s: 300 })),
    ] {
        assert_eq!(check(&signed_with("whsec_a", at), "whsec_a"), expect);
    }
}

#[test]
fn a_header_that_is_none_is_told_apart() {
    let malformed = |why| Err(SignatureError::Malformed(why));
    for (header, expect) in [
        ("", Err(SignatureError::MissingHeader)),
        ("  ", Err(SignatureError::MissingHeader)),
        ("t", malformed("a part has no =")),
        ("v1=00", malformed("no timestamp")),
        ("t=1,t=2,v1=00", malformed("two timestamps")),
        ("t=-5,v1=00", malformed("the timestamp is not a number of seconds")),
        ("t=,v1=00", malformed("the timestamp is not a number of seconds")),
        ("t=99999999999999999999,v1=00", malformed("the timestamp is not a number of seconds")),
        ("t=1790000000", Err(SignatureError::NoSignature)),
    ] {
        assert_eq!(check(header, "whsec_a"), expect, "{header:?}");
    }
}

#[test]
fn everything_has_a_limit() {
    let long = format!("{},v0={}", signed_with("whsec_a", NOW), "0".repeat(HEADER_BYTES_MAX));
    assert_eq!(check(&long, "whsec_a"), Err(SignatureError::TooLong));
    let many = signed_with("whsec_a", NOW) + &",v1=00".repeat(SIGNATURES_MAX);
    assert_eq!(check(&many, "whsec_a"), Err(SignatureError::TooLong));
    let far = verify("t=999999999999999999,v1=00", BODY, &secrets("whsec_a"), i64::MIN, 300);
    assert!(matches!(far, Err(SignatureError::TooNew { .. })));
    assert!(verify("t=1,v1=00", BODY, &[], NOW, 300).is_err_and(|e| e == SignatureError::NoSecret));
}

#[test]
fn a_secret_is_never_printed() {
    let secrets = secrets("whsec_a, whsec_b ,");
    assert_eq!(format!("{secrets:?}"), "[***, ***]");
    let verified = verify(&signed_with("whsec_a", NOW), BODY, &secrets, NOW, TOLERANCE_S).unwrap();
    assert_eq!(format!("{verified:?}"), "Verified(14 bytes)");
}

#[test]
fn a_list_of_secrets_is_checked() {
    let error = |list: &str| SigningSecret::parse_list(list).unwrap_err();
    assert_eq!(error(" , "), SecretError::Empty);
    assert_eq!(error("whsec_a,sk_test_123"), SecretError::ApiKey { number: 2 });
    assert_eq!(error(&"whsec_a,".repeat(17)), SecretError::TooMany);
    assert!(!error("sk_live_abc").to_string().contains("abc"));
}
