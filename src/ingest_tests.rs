use super::*;

use ledger_domain::time::Timestamp;
use ledger_log::MemoryLog;
use ledger_stripe::signature::{SigningSecret, sign};
use serde_json::{Value, json};

use crate::commands::tenant;
use crate::config::{Environment, TenantConfig};

const NOW: i64 = 1_790_000_000;

struct Desk {
    ingest: Ingest,
    served: Served,
    secret: SigningSecret,
}

impl Desk {
    async fn open() -> Self {
        let clock = Clock::at(Timestamp::from_unix(NOW));
        let log_clock = clock.clone();
        let log = Arc::new(MemoryLog::new(Arc::new(move || log_clock.now())));
        let environment =
            Environment::default().with("STRIPE_WEBHOOK_SECRET", "whsec_old,whsec_new");
        let tenant = Tenant::try_new("default").unwrap();
        let config = TenantConfig::read(tenant, &environment).unwrap();
        tenant::open(&*log, &clock, &config).await.unwrap();
        let meters = Arc::new(Meters::new());
        Self {
            ingest: Ingest { log, clock, meters },
            served: Served::from(&config),
            secret: SigningSecret::new("whsec_new"),
        }
    }

    async fn deliver(&self, body: &Value) -> Result<Receipt, Rejected> {
        let body = body.to_string();
        let header = sign(&self.secret, NOW, body.as_bytes());
        self.ingest.webhook(&self.served, &header, body.as_bytes()).await
    }

    async fn types(&self) -> Vec<String> {
        let events = self.ingest.log.read(&self.served.tenant, 0, 100).await.unwrap();
        events.iter().map(|event| event.event_type.to_string()).collect()
    }
}

fn customer(event: &str, id: &str) -> Value {
    json!({
        "id": event, "object": "event", "type": "customer.created", "created": NOW - 5,
        "livemode": false, "pending_webhooks": 1,
        "data": { "object": { "id": id, "object": "customer", "created": NOW - 5 } },
    })
}

#[tokio::test]
async fn a_webhook_is_appended_once() {
    let desk = Desk::open().await;
    let first = desk.deliver(&customer("evt_1", "cus_1")).await.unwrap();
    assert!(first.appended && first.event_id.as_str() == "evt_1");
    let mut again = customer("evt_1", "cus_1");
    again["pending_webhooks"] = json!(0);
    let second = desk.deliver(&again).await.unwrap();
    assert_eq!(second, Receipt { appended: false, ..first });
    assert_eq!(desk.types().await, ["LogOpened", "CustomerReported"]);
}

#[tokio::test]
async fn another_content_under_a_taken_id_is_noted_once() {
    let desk = Desk::open().await;
    let first = desk.deliver(&customer("evt_1", "cus_1")).await.unwrap();
    for _ in 0..2 {
        let other = desk.deliver(&customer("evt_1", "cus_2")).await.unwrap();
        assert_eq!((other.appended, other.position), (false, first.position));
    }
    assert_eq!(desk.types().await, ["LogOpened", "CustomerReported", "IdReuseSeen"]);
    desk.deliver(&customer("evt_1", "cus_3")).await.unwrap();
    assert_eq!(desk.types().await.len(), 4, "each other content is a fact of its own");
}

#[tokio::test]
async fn what_cannot_be_read_is_recorded_all_the_same() {
    let desk = Desk::open().await;
    let mut unusable = customer("evt_1", "cus_1");
    unusable["type"] = json!("customer.subscription.updated");
    unusable["data"]["object"] = json!({ "object": "subscription" });
    assert!(desk.deliver(&unusable).await.unwrap().appended);
    let mut unheard_of = customer("evt_2", "cus_1");
    unheard_of["type"] = json!("gift_card.opened");
    assert!(desk.deliver(&unheard_of).await.unwrap().appended);
    let expected = ["LogOpened", "StripeEventRecorded", "StripeEventRecorded"];
    assert_eq!(desk.types().await, expected);
}

#[tokio::test]
async fn nothing_is_stored_of_what_is_refused() {
    let desk = Desk::open().await;
    let body = customer("evt_1", "cus_1").to_string();
    let sent = |header: String, body: String| {
        let desk = &desk;
        async move {
            let taken = desk.ingest.webhook(&desk.served, &header, body.as_bytes()).await;
            taken.expect_err("a refusal").reason()
        }
    };
    let signed = |at, body: &str| sign(&desk.secret, at, body.as_bytes());
    let stranger = sign(&SigningSecret::new("whsec_other"), NOW, body.as_bytes());
    assert_eq!(sent(String::new(), body.clone()).await, "no_signature_header");
    assert_eq!(sent(stranger, body.clone()).await, "no_match");
    assert_eq!(sent(signed(NOW - 301, &body), body.clone()).await, "too_old");
    assert_eq!(sent(signed(NOW + 301, &body), body.clone()).await, "too_new");
    assert_eq!(sent(signed(NOW, &body), format!("{body} ")).await, "no_match");
    assert_eq!(sent(signed(NOW, "{"), "{".into()).await, "not_json");
    assert_eq!(sent(signed(NOW, "{}"), "{}".into()).await, "malformed_envelope");
    assert_eq!(desk.types().await, ["LogOpened"]);
}

#[tokio::test]
async fn a_webhook_that_is_too_large_for_the_log_is_recorded_all_the_same() {
    let desk = Desk::open().await;
    let items: Vec<Value> = (0..38_000).map(|_| json!({ "id": "a", "price": "p" })).collect();
    let large = json!({
        "id": "evt_1", "object": "event", "type": "customer.subscription.updated",
        "created": NOW - 5, "livemode": false,
        "data": { "object": {
            "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1",
            "items": { "object": "list", "data": items },
        } },
    });
    assert!(large.to_string().len() < 1 << 20, "it is one that the endpoint takes");
    let first = desk.deliver(&large).await.unwrap();
    assert!(first.appended);
    assert_eq!(desk.types().await, ["LogOpened", "StripeEventRecorded"]);
    let again = desk.deliver(&large).await.unwrap();
    assert_eq!(again, Receipt { appended: false, ..first });
}
