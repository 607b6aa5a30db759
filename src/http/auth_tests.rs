use super::*;

use axum::http::Request;
use jsonwebtoken::{EncodingKey, Header, encode};
use ledger_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::{AuthConfig, Environment, TenantConfig};
use crate::tenants::Served;

const NOW: i64 = 1_780_000_000;
/// The keys of the process, and of two tenants.
const PROCESS: &str = "process-process-process-process-";
const ACME: &str = "acme-acme-acme-acme-acme-acme-ac";
const BOLT: &str = "bolt-bolt-bolt-bolt-bolt-bolt-bo";

fn keyring(secret: &str) -> Arc<Keyring> {
    let environment = Environment::default().with("LEDGER_JWT_SECRET", secret);
    let config = AuthConfig::read(&environment).unwrap();
    let clock = Clock::at(Timestamp::from_unix(NOW));
    Arc::new(Keyring::try_new(&config, None, clock).unwrap())
}

fn served(tenant: &str, secret: Option<&str>) -> Served {
    let tenant = Tenant::try_new(tenant).unwrap();
    let config = TenantConfig::read(tenant, &Environment::default()).unwrap();
    Served { keyring: secret.map(keyring), ..Served::from(&config) }
}

/// `acme` and `bolt` have keys, `default` and `cove` don't.
fn authenticator() -> (Authenticator, Arc<Tenants>) {
    let tenants = Arc::new(Tenants::default());
    let of = [("acme", Some(ACME)), ("bolt", Some(BOLT)), ("cove", None), (DEFAULT_TENANT, None)];
    tenants.replace(of.map(|(tenant, secret)| served(tenant, secret)));
    (Authenticator::new(keyring(PROCESS), Arc::clone(&tenants)), tenants)
}

fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn admin_of(tenant: &Value, secret: &str) -> String {
    let roles = ["admin", "auditor"];
    signed(&json!({ "sub": "a", "exp": NOW + 60, "roles": roles, "tenant": tenant }), secret)
}

#[test]
fn a_key_speaks_for_its_tenant_alone() {
    let (auth, _) = authenticator();
    for (tenant, key) in
        [("acme", ACME), ("bolt", BOLT), ("cove", PROCESS), (DEFAULT_TENANT, PROCESS)]
    {
        for secret in [ACME, BOLT, PROCESS] {
            let token = admin_of(&json!(tenant), secret);
            for _ in 0..2 {
                match auth.check(&token) {
                    Ok(principal) => {
                        assert_eq!((principal.tenant.as_str(), secret), (tenant, key));
                        assert!(principal.require(&[Role::Auditor]).is_ok());
                    }
                    Err(Refused::Why(why)) => {
                        assert!(secret != key && why.contains("signature"), "{tenant}: {why}");
                    }
                    Err(other) => panic!("{tenant}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn who_names_no_tenant_is_of_the_process() {
    let (auth, _) = authenticator();
    for none in [json!(null), json!(DEFAULT_TENANT)] {
        assert!(auth.check(&admin_of(&none, PROCESS)).is_ok());
        assert!(auth.check(&admin_of(&none, ACME)).is_err());
    }
    for wrong in [json!(7), json!(["acme"]), json!("no tenant"), json!({ "tenant": "acme" })] {
        for secret in [ACME, PROCESS] {
            assert!(auth.check(&admin_of(&wrong, secret)).is_err(), "{wrong}");
        }
    }
    for nonsense in ["", ".", "a.b.c", &"x".repeat(2 * TOKEN_BYTES_MAX)] {
        assert!(auth.check(nonsense).is_err());
    }
}

/// Also a token that was seen before.
#[test]
fn a_tenant_that_gets_keys_is_closed_to_the_process() {
    let (auth, tenants) = authenticator();
    let (of_process, own) = (admin_of(&json!("cove"), PROCESS), admin_of(&json!("cove"), BOLT));
    assert!(auth.check(&of_process).is_ok() && auth.check(&own).is_err());
    tenants.replace([served("cove", Some(BOLT))]);
    assert!(auth.check(&of_process).is_err() && auth.check(&own).is_ok());
}

#[test]
fn a_second_authorization_header_is_refused() {
    let request = Request::get("/").header("authorization", "Bearer a");
    let (parts, ()) = request.header("authorization", "Bearer b").body(()).unwrap().into_parts();
    let refused = bearer(&parts.headers);
    assert!(matches!(refused, Err(Problem::Unauthenticated(why)) if why.contains("more")));
}
