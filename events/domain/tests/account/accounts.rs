//! Accounts of facts that are all at hand: whose each fact is doesn't depend on their order.

use ledger_domain::account::{Accounts, LogIdentity};
use ledger_domain::effective::Holdings;
use ledger_domain::event::stripe::{Charge, CheckoutSession, Dispute};
use ledger_domain::event::{Entry, Event, StripeOrigin, TierAssigned, UsageRecorded};
use ledger_domain::id::{FeatureSlug, PlanSlug, TrainerId};
use ledger_domain::time::Timestamp;
use serde_json::json;

use crate::given::{DAY_0, arrived, entry, orders, reported, sub};

const LOG: LogIdentity = LogIdentity { livemode: false, account: None };

fn trainer(id: &str) -> TrainerId {
    TrainerId::try_new(id).expect("a trainer")
}

fn unnamed(id: &str, at: i64, customer: &str) -> Entry {
    let cause = if at == 0 { "created" } else { "updated" };
    let changes = json!({"customer": customer, "metadata": {}});
    sub(id, DAY_0 + at, cause, changes, json!("absent"))
}

fn session(id: &str, at: i64, customer: &str, trainer: &str) -> Entry {
    let snapshot = json!({"id": format!("cs_{id}"), "client_reference_id": trainer,
        "customer": customer, "status": "complete"});
    let report = reported::<CheckoutSession>("completed", snapshot, json!("absent"));
    entry(id, DAY_0 + at, Event::CheckoutSessionReported(report))
}

fn holdings(entries: &[Entry], of: &str) -> Holdings {
    Holdings::of(&Accounts::of(entries, &LOG), &trainer(of))
}

fn subscriptions(entries: &[Entry], of: &str) -> usize {
    holdings(entries, of).subscriptions.len()
}

#[test]
fn an_object_is_of_the_smallest_customer_that_any_fact_names() {
    let facts = [
        session("evt_1", 0, "cus_1", "t1"),
        session("evt_2", 0, "cus_2", "t2"),
        unnamed("evt_3", 0, "cus_2"),
        unnamed("evt_4", 9, "cus_1"),
    ];
    for order in orders(&facts) {
        assert_eq!((subscriptions(&order, "t1"), subscriptions(&order, "t2")), (1, 0));
    }
    // Before anybody said otherwise, it was the other's.
    for order in orders(&facts[..3]) {
        assert_eq!((subscriptions(&order, "t1"), subscriptions(&order, "t2")), (0, 1));
    }
}

#[test]
fn a_fact_without_a_customer_finds_it_through_others_or_waits() {
    let dispute = json!({"id": "dp_1", "charge": "ch_1", "amount": 1, "currency": "usd",
        "status": "lost"});
    let charge = json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 1, "currency": "usd"});
    let paid = json!({"id": "ch_2", "payment_intent": "pi_1", "customer": "cus_1", "amount": 1,
        "currency": "usd"});
    let charged = |id: &str, snapshot: &serde_json::Value| {
        let report = reported::<Charge>("succeeded", snapshot.clone(), json!("absent"));
        entry(id, DAY_0, Event::ChargeReported(report))
    };
    let report = reported::<Dispute>("closed", dispute, json!("absent"));
    let facts = [
        session("evt_1", 0, "cus_1", "t1"),
        entry("evt_2", DAY_0, Event::DisputeReported(report)),
        charged("evt_3", &charge),
        charged("evt_4", &paid),
    ];
    for order in orders(&facts) {
        assert_eq!(holdings(&order, "t1").disputes.lost.len(), 1);
    }
    // Nobody says whose the intent is.
    for order in orders(&facts[..3]) {
        assert_eq!(holdings(&order, "t1").disputes.lost.len(), 0);
    }
}

#[test]
fn acts_make_holdings_and_what_is_of_another_mode_or_usage_does_not() {
    let at = Timestamp::from_unix(DAY_0);
    let assigned = Event::TierAssigned(TierAssigned {
        trainer: trainer("t1"),
        tier: PlanSlug::try_new("starter").expect("a plan"),
        interval: None,
        expires_at: None,
    });
    let used = Event::UsageRecorded(UsageRecorded {
        trainer: trainer("t2"),
        feature: FeatureSlug::try_new("customers").expect("a feature"),
        quantity: 1,
        occurred_at: at,
    });
    let mut foreign = session("evt_1", 0, "cus_1", "t3");
    foreign.metadata.stripe = Some(StripeOrigin { livemode: true, ..StripeOrigin::default() });
    let mut facts = vec![entry("evt_2", DAY_0, assigned), entry("evt_3", DAY_0, used), foreign];
    facts.push(unnamed("evt_4", 0, "cus_1"));
    let facts = arrived(&facts);
    let held = holdings(&facts, "t1");
    assert_eq!((held.grants.len(), held.trainer.map(|view| view.position)), (1, Some(1)));
    for other in ["t2", "t3", "stranger"] {
        assert_eq!(holdings(&facts, other), Holdings::default(), "{other}");
    }
    assert_eq!(Accounts::of(&facts, &LOG).links_of(&trainer("t3")).count(), 0);
}
