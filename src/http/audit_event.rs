//! `GET /api/v1/audit/events/{event_id}`: one event with all that goes under its leaf, and with
//! what lies beside it, so that the hashes can be recomputed from the answer alone
//! (docs/log-format.md).

use axum::Json;
use axum::extract::State;
use ledger_domain::id::{EventId, EventKey, Namespace, Tenant};
use ledger_log::postgres::Audited;
use ledger_log::seal::Salt;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::AppState;
use super::audit::{Event, corrupt, json, unreadable};
use super::auth::Principal;
use super::openapi::{NotFound, Refused, schema};
use super::params::{NoQuery, Params, Segment};
use super::problem::Problem;
use crate::roles::Role;

/// The namespaces in which an id is looked for.
const NAMESPACES: [&str; 3] = ["stripe", "ledger", "api"];

const NO_SUCH_EVENT: Problem = Problem::NotFound("There is no such event.");

/// An event with everything that the log holds of it. Hashes and salts are in hexadecimal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WholeEvent)]
pub(crate) struct Whole {
    #[serde(flatten)]
    event: Event,
    #[schema(value_type = schema::Tenant)]
    tenant: Tenant,
    log_id: String,
    format: i16,
    #[schema(value_type = String)]
    namespace: Namespace,
    #[schema(value_type = Object)]
    metadata: Value,
    /// Exactly the text that was hashed; `data` and `metadata` are what it means.
    data_raw: String,
    metadata_raw: String,
    leaf: String,
    content_hash: String,
    body_hash: Option<String>,
    /// The redacted webhook body and its salt, while they are kept.
    body: Option<String>,
    body_salt: Option<String>,
    text_hash: Option<String>,
    /// The free text given with it and its salt, while they are kept.
    text: Option<String>,
    text_salt: Option<String>,
}

/// One event with all that is sealed
///
/// Enough to recompute its leaf and its hashes from the answer alone (docs/log-format.md).
#[utoipa::path(
    get,
    path = "/api/v1/audit/events/{event_id}",
    operation_id = "audit_event",
    tag = "audit",
    params(("event_id" = schema::EventId, Path, description = "Which event")),
    responses((status = 200, description = "The event", body = Whole), Refused, NotFound),
    security(("token" = ["auditor"])),
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    principal: Principal,
    Segment(id): Segment,
    Params(NoQuery {}): Params<NoQuery>,
) -> Result<Json<Whole>, Problem> {
    principal.require(&[Role::Auditor])?;
    let Ok(id) = EventId::try_new(&id) else { return Err(NO_SUCH_EVENT) };
    for namespace in NAMESPACES {
        let namespace = Namespace::try_new(namespace).expect("a constant namespace");
        let key = EventKey::new(namespace, id.clone());
        let found = state.audit.event(&principal.tenant, &key).await;
        if let Some(found) = found.map_err(unreadable)? {
            return Whole::try_new(found).map(Json);
        }
    }
    Err(NO_SUCH_EVENT)
}

impl Whole {
    fn try_new(audited: Audited) -> Result<Self, Problem> {
        let Audited { event, body, text } = audited;
        let position = event.position;
        let utf8 = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| corrupt(position));
        let salt = |salt: Salt| hex::encode(salt);
        let (body_salt, body) = body.map(|(s, body)| (salt(s), body)).unzip();
        let (text_salt, text) = text.map(|(s, text)| (salt(s), text)).unzip();
        Ok(Self {
            leaf: hex::encode(event.leaf()),
            tenant: event.tenant.clone(),
            log_id: event.log_id.to_string(),
            format: event.format,
            namespace: event.key.namespace.clone(),
            metadata: json(position, &event.metadata)?,
            content_hash: hex::encode(event.content_hash),
            body_hash: event.body_hash.map(hex::encode),
            body: body.map(utf8).transpose()?,
            body_salt,
            text_hash: event.text_hash.map(hex::encode),
            text,
            text_salt,
            event: Event::try_new(&event, None)?,
            data_raw: utf8(event.data)?,
            metadata_raw: utf8(event.metadata)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use ledger_domain::id::{EventType, StreamName};
    use ledger_domain::time::Timestamp;
    use ledger_log::Recorded;
    use sha2::{Digest, Sha256};

    use super::*;

    fn recorded(text_hash: [u8; 32]) -> Recorded {
        let key = EventKey::new(
            Namespace::try_new("ledger").unwrap(),
            EventId::try_new("0190-1").unwrap(),
        );
        Recorded {
            log_id: uuid::Uuid::nil(),
            format: 1,
            tenant: Tenant::try_new("default").unwrap(),
            position: 3,
            stream: StreamName::try_new("trainer-t1").unwrap(),
            key,
            revision: 0,
            event_type: EventType::try_new("TrainerSuspended").unwrap().as_str().into(),
            schema_version: 1,
            occurred_at: Timestamp::from_unix(1_780_000_000),
            recorded_at: Timestamp::from_unix(1_780_000_001),
            data: br#"{"b":1, "a":"\u00e4"}"#.to_vec(),
            metadata: br#"{"actor":"ann","source":"admin"}"#.to_vec(),
            content_hash: [1; 32],
            body_hash: None,
            text_hash: Some(text_hash),
        }
    }

    #[test]
    fn a_text_can_be_proved_by_its_salt_and_data_by_its_bytes() {
        let (salt, text) = ([7_u8; 16], "too many chargebacks");
        let hash = |salt: &[u8], text: &str| {
            let hasher = Sha256::new().chain_update("ledger-text-v1").chain_update(salt);
            hasher.chain_update(text).finalize()
        };
        let event = recorded(hash(&salt, text).into());
        let whole = Audited { event, body: None, text: Some((salt, text.to_owned())) };
        let told = serde_json::to_value(Whole::try_new(whole).unwrap()).unwrap();
        let salt = hex::decode(told["text_salt"].as_str().unwrap()).unwrap();
        let proved = hex::encode(hash(&salt, told["text"].as_str().unwrap()));
        assert_eq!(told["text_hash"], proved);
        assert_eq!(told["data_raw"], r#"{"b":1, "a":"\u00e4"}"#, "not what it means");
        assert_eq!(told["data"]["a"], "\u{e4}");
        assert!(told["body"].is_null() && told["body_salt"].is_null());
    }
}
