use super::*;

use jsonwebtoken::EncodingKey;
use ledger_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::config::Environment;
use crate::jwks::testing::{Pair, set_of};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_780_000_000;
const ASYMMETRIC: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// These public keys, from a file; with a secret, too, where one is given.
fn keyring(pairs: &[&Pair], settings: &[(&str, &str)]) -> Keyring {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, set_of(pairs)).unwrap();
    let environment = environment(file.to_str().unwrap());
    let environment = settings.iter().fold(environment, |all, (name, value)| all.with(name, value));
    let config = AuthConfig::read(&environment).unwrap();
    keyring_of(&config)
}

fn keyring_of(config: &AuthConfig) -> Keyring {
    Keyring::try_new(config, None, Clock::at(Timestamp::from_unix(NOW))).unwrap()
}

fn environment(jwks: &str) -> Environment {
    Environment::default().with("LEDGER_JWKS", jwks).with("LEDGER_JWT_AUDIENCE", "billing")
}

fn parse(pairs: &[&Pair]) -> KeySet {
    KeySet::parse(set_of(pairs).as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({ "sub": "t1", "exp": NOW + 60, "aud": "billing", "roles": ["trainer"] })
}

fn hmac(header: &Header, key: &[u8]) -> String {
    jsonwebtoken::encode(header, &claims(), &EncodingKey::from_secret(key)).unwrap()
}

fn why(ring: &Keyring, token: &str) -> &'static str {
    match ring.check(token).map_err(Problem::from) {
        Err(Problem::Unauthenticated(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn each_algorithm_is_checked_with_the_key_of_its_id() {
    let pairs = ASYMMETRIC.map(|algorithm| Pair::new(algorithm, &format!("{algorithm:?}")));
    let ring = keyring(&pairs.each_ref(), &[]);
    for (pair, algorithm) in pairs.iter().zip(ASYMMETRIC) {
        assert_eq!(&*ring.check(&pair.sign(&claims())).unwrap().subject, "t1");
        // Another's key under the same id, and the own key under another.
        let forged = Pair::new(algorithm, &format!("{algorithm:?}")).sign(&claims());
        assert!(why(&ring, &forged).contains("signature"));
        let header = Header { kid: Some("other".into()), ..Header::new(algorithm) };
        assert!(why(&ring, &pair.sign_as(&header, &claims())).contains("`kid`"));
        // Without an id there is one key of this algorithm.
        assert!(ring.check(&pair.sign_as(&Header::new(algorithm), &claims())).is_ok());
    }
    let header = Header { kid: Some("ES256".into()), ..Header::new(Algorithm::EdDSA) };
    assert!(why(&ring, &pairs[2].sign_as(&header, &claims())).contains("`kid`"));
}

#[test]
fn a_public_key_is_no_secret_to_sign_with() {
    let pairs = ASYMMETRIC.map(|algorithm| Pair::new(algorithm, "key"));
    let both = [("LEDGER_JWT_SECRET", SECRET)];
    for settings in [&[][..], &both[..]] {
        let ring = keyring(&pairs.each_ref(), settings);
        for pair in &pairs {
            let public = &pair.public;
            let texts = ["n", "x", "y"].map(|part| public[part].as_str().unwrap_or_default());
            let bytes = texts.map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
            let point = [&[4][..], &bytes[1], &bytes[2]].concat();
            let whole = [public.to_string(), set_of(&[pair])];
            let keys = texts.iter().map(|text| text.as_bytes());
            let keys = keys.chain(bytes.iter().map(Vec::as_slice)).chain([&point[..]]);
            for key in keys.chain(whole.iter().map(String::as_bytes)) {
                for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                    let header = Header { kid: Some("key".into()), ..Header::new(algorithm) };
                    let why = why(&ring, &hmac(&header, key));
                    assert!(why.contains("signature") || why.contains("must be signed"), "{why}");
                }
            }
            // The other way round: a header that names a public key's algorithm.
            let [_, body, seal]: [String; 3] = parts(&hmac(&Header::default(), SECRET.as_bytes()));
            for algorithm in ["RS256", "ES256", "EdDSA", "none"] {
                let header = json!({ "alg": algorithm, "kid": "key" }).to_string();
                let header = URL_SAFE_NO_PAD.encode(header);
                why_of_forged(&ring, &format!("{header}.{body}.{seal}"));
                why_of_forged(&ring, &format!("{header}.{body}."));
            }
        }
    }
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn why_of_forged(ring: &Keyring, token: &str) {
    assert!(!why(ring, token).is_empty());
}

#[test]
fn secrets_and_public_keys_go_together_and_either_goes_alone() {
    let pair = Pair::new(Algorithm::ES256, "1");
    let (shared, signed) = (hmac(&Header::default(), SECRET.as_bytes()), pair.sign(&claims()));
    let both = keyring(&[&pair], &[("LEDGER_JWT_SECRET", SECRET)]);
    assert!(both.check(&shared).is_ok() && both.check(&signed).is_ok());
    let alone = keyring(&[&pair], &[]);
    assert!(alone.check(&signed).is_ok());
    assert!(why(&alone, &shared).contains("RS256, ES256 or EdDSA"));
    assert!(!why(&alone, &shared).contains("HS256"));
}

#[test]
fn keys_are_replaced_also_for_tokens_that_are_remembered() {
    let (old, new) = (Pair::new(Algorithm::RS256, "old"), Pair::new(Algorithm::RS256, "new"));
    let ring = keyring(&[&old], &[]);
    let tokens = [old.sign(&claims()), new.sign(&claims())];
    for (set, good) in
        [(vec![&old], [true, false]), (vec![&new, &old], [true, true]), (vec![&new], [false, true])]
    {
        ring.replace_public(parse(&set));
        for _ in 0..2 {
            assert_eq!(tokens.each_ref().map(|token| ring.check(token).is_ok()), good);
        }
    }
}

#[test]
fn secrets_are_replaced_and_fetched_keys_stay() {
    let pair = Pair::new(Algorithm::EdDSA, "1");
    let environment = environment("http://127.0.0.1:1/keys");
    let config = AuthConfig::read(&environment).unwrap();
    let ring = keyring_of(&config);
    let token = pair.sign(&claims());
    let early = ring.check(&token).map_err(Problem::from);
    assert!(matches!(early, Err(Problem::Unavailable)), "nobody can tell yet: {early:?}");
    ring.replace_public(parse(&[&pair]));
    assert!(ring.check(&token).is_ok());
    let both = environment.with("LEDGER_JWT_SECRET", SECRET);
    ring.replace_keys(&AuthConfig::read(&both).unwrap());
    assert!(ring.check(&token).is_ok());
    assert!(ring.check(&hmac(&Header::default(), SECRET.as_bytes())).is_ok());
}

#[test]
fn an_administrator_has_a_second_factor_where_it_is_asked_for() {
    let pair = Pair::new(Algorithm::EdDSA, "1");
    let roles = |amr: Value| {
        let mut claims = claims();
        claims["roles"] = json!(["admin", "auditor"]);
        claims["amr"] = amr;
        pair.sign(&claims)
    };
    let may = |ring: &Keyring, amr: Value, any_of: &[Role]| {
        ring.check(&roles(amr)).unwrap().require(any_of).is_ok()
    };
    let strict = keyring(&[&pair], &[("LEDGER_ADMIN_MFA", "true")]);
    for lacking in [json!(null), json!([]), json!(["pwd"]), json!(["MFA", "mfa "])] {
        assert!(!may(&strict, lacking.clone(), &[Role::Admin, Role::Operator]), "{lacking}");
        assert!(may(&strict, lacking, &[Role::Auditor]), "other roles need none");
    }
    let told = strict.check(&roles(json!(["pwd"]))).unwrap().require(&[Role::Admin]);
    assert!(matches!(told, Err(Problem::Forbidden(why)) if why.contains("`amr`")));
    assert!(may(&strict, json!(["pwd", "mfa"]), &[Role::Admin]));
    assert!(may(&keyring(&[&pair], &[]), json!(null), &[Role::Admin]));
}

#[test]
fn a_token_for_another_application_is_refused() {
    let pair = Pair::new(Algorithm::RS256, "1");
    let ring = keyring(&[&pair], &[]);
    for other in [json!("shop"), json!(["shop", "mail"]), json!(null)] {
        let mut claims = claims();
        claims["roles"] = json!(["admin"]);
        claims["aud"] = other;
        let why = why(&ring, &pair.sign(&claims));
        assert!(why.contains("audience") || why.contains("`aud`"), "{why}");
    }
}

#[test]
fn a_token_of_entitlements_is_no_bearer_token() {
    let pair = Pair::new(Algorithm::EdDSA, "1");
    let ring = keyring(&[&pair], &[]);
    for typ in [TOKEN_TYPE, "Entitlements+JWT"] {
        let header = Header { typ: Some(typ.into()), ..Header::new(Algorithm::EdDSA) };
        assert!(why(&ring, &pair.sign_as(&header, &claims())).contains("entitlements"));
    }
}
