//! What was known at a past instant is what the live read models said then.

use std::sync::Arc;

use ledger_domain::effective::explain::Explanation;
use ledger_domain::effective::{Billing, Denial, Holdings};
use ledger_domain::event::{Enforcement, Metadata};
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{DAY, Timestamp};
use ledger_log::{EventLog, NewEvent};
use ledger_projections::as_reader;
use ledger_replay::{AsOf, AsOfError, Moment, Then};
use serde_json::json;

use crate::given::{self, act, used, webhook};
use crate::world::World;

const CUSTOMERS: usize = 5;

/// After everything in the scenario.
const END: Timestamp = Timestamp::MAX;

fn trainers() -> Vec<TrainerId> {
    (0..CUSTOMERS).map(|n| TrainerId::try_new(&format!("t{n}")).unwrap()).collect()
}

impl World {
    fn as_of(&self) -> AsOf {
        AsOf::new(&self.pools, Arc::clone(&self.log) as _)
    }

    const fn billed(&self) -> (&Tenant, Billing) {
        (&self.tenant, Billing::Stripe)
    }

    async fn ask(
        &self,
        trainer: &TrainerId,
        as_of: Timestamp,
        known_at: Option<Timestamp>,
    ) -> Then {
        self.as_of().ask(self.billed(), trainer, Moment::past(as_of, known_at)).await.unwrap()
    }

    async fn explain(&self, trainer: &TrainerId, feature: &FeatureSlug) -> Option<Explanation> {
        let moment = Moment::past(END, None);
        let told = self.as_of().explain(self.billed(), trainer, moment, feature).await.unwrap();
        told.explanation
    }

    /// What the live read models say of every trainer.
    async fn live_holdings(&self) -> Vec<Holdings> {
        let mut all = Vec::new();
        for trainer in trainers() {
            let mut reader = as_reader(&self.pools.api, &self.tenant, None).await.unwrap();
            all.push(sorted(reader.holdings(&trainer).await.unwrap().0));
        }
        all
    }

    async fn recorded_at(&self) -> Timestamp {
        self.log.head(&self.tenant).await.unwrap().unwrap().recorded_at
    }
}

fn sorted(mut holdings: Holdings) -> Holdings {
    holdings.subscriptions.sort_by(|a, b| a.id.cmp(&b.id));
    holdings.grants.sort_by_key(|grant| grant.position);
    holdings.disputes.lost.sort_by_key(|lost| lost.subscription.clone());
    holdings
}

/// Two customers that one trainer is said to be and another was, more than once.
fn contested() -> Vec<NewEvent> {
    let linked = |n: i64, trainer: &str, at: i64, customer: &str| {
        let data = json!({"trainer": trainer, "customer": customer});
        let id = format!("link-{n}");
        let mut event = act(&id, &format!("api-{id}"), 0, "CustomerLinked", &data);
        event.occurred_at = event.occurred_at.plus(at * DAY);
        event
    };
    vec![
        linked(0, "t0", 40, "cus_1"),
        linked(1, "t1", 41, "cus_1"),
        linked(2, "t0", 42, "cus_1"),
        linked(3, "t1", 43, "cus_1"),
        linked(4, "t0", 44, "cus_1"),
        linked(5, "t2", 45, "cus_3"),
        two_names(),
        without_a_customer(),
    ]
}

/// A session that leads to its customer by its subscription alone.
fn without_a_customer() -> NewEvent {
    let session = json!({"id": "cs_of_sub", "client_reference_id": "t0",
        "subscription": "sub_2", "status": "complete"});
    let data = json!({"before": "absent", "cause": "completed", "snapshot": session});
    webhook("evt_of_sub", 1_774_915_200 + 51 * 86_400, "CheckoutSessionReported", &data)
}

/// A session that says that its customer is one trainer, and whose metadata name another.
fn two_names() -> NewEvent {
    let session = json!({"id": "cs_two", "client_reference_id": "t0", "customer": "cus_4",
        "metadata": {"trainer_id": "t3"}, "status": "complete"});
    let data = json!({"before": "absent", "cause": "completed", "snapshot": session});
    let mut event =
        webhook("evt_two", 1_774_915_200 + 50 * 86_400, "CheckoutSessionReported", &data);
    let mut metadata = Metadata::from_bytes(&event.metadata).unwrap();
    metadata.subject.trainer = Some(TrainerId::try_new("t3").unwrap());
    event.metadata = metadata.to_bytes();
    event
}

#[tokio::test]
async fn what_was_known_is_what_the_read_models_said_then() {
    for seed in 0..2 {
        let world = World::new().await;
        let events: Vec<_> = given::busy(CUSTOMERS, seed).into_iter().chain(contested()).collect();
        let mut seen = Vec::new();
        for page in events.chunks(4) {
            world.append(page.to_vec()).await;
            world.project(100).await;
            seen.push((world.recorded_at().await, world.live_holdings().await));
        }
        seen.dedup_by_key(|(recorded_at, _)| *recorded_at);
        let (asked, mut answered) = (seen.len() * CUSTOMERS, 0);
        for (recorded_at, live) in seen {
            for (trainer, live) in trainers().iter().zip(live) {
                let moment = Moment::past(END, Some(recorded_at));
                match world.as_of().ask(world.billed(), trainer, moment).await {
                    Ok(then) => {
                        assert_eq!(sorted(then.holdings), live, "{trainer} {recorded_at}");
                        answered += 1;
                    }
                    // The catalogue comes late in some of these lives.
                    Err(AsOfError::NothingKnown) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(answered > asked / 4, "{answered} of {asked}");
    }
}

#[tokio::test]
async fn what_happened_by_an_instant_is_what_was_live_when_all_was_told_at_once() {
    let world = World::new().await;
    let mut events: Vec<_> = given::busy(CUSTOMERS, 3).into_iter().chain(contested()).collect();
    events.sort_by_key(|event| event.occurred_at);
    let mut seen = Vec::new();
    for second in events.chunk_by(|a, b| a.occurred_at == b.occurred_at) {
        world.append(second.to_vec()).await;
        world.project(100).await;
        seen.push((second[0].occurred_at, world.live_holdings().await));
    }
    for (at, live) in seen {
        for (trainer, live) in trainers().iter().zip(live) {
            assert_eq!(sorted(world.ask(trainer, at, None).await.holdings), live, "{trainer} {at}");
        }
    }
}

#[tokio::test]
async fn nothing_that_is_known_now_is_read() {
    let world = World::busy(CUSTOMERS, 1).await;
    let moment = async |trainer: &TrainerId| {
        let then = world.ask(trainer, END, None).await;
        let mut told = Vec::new();
        for feature in then.answer.features.keys() {
            told.push(world.explain(trainer, feature).await);
        }
        (then.answer, sorted(then.holdings), then.used, then.enforced, told)
    };
    let mut before = Vec::new();
    for trainer in trainers() {
        before.push(moment(&trainer).await);
    }
    assert!(before.iter().any(|(_, holdings, ..)| !holdings.subscriptions.is_empty()));
    const INDEX: &str = "rm_subscriptions.trainer_event, rm_subscriptions.unit_part,
        rm_subscriptions.object_customer, projection.parked_event, projection.checkpoint";
    world.sql(&format!(
        "REVOKE SELECT ON ALL TABLES IN SCHEMA rm_subscriptions, rm_grants, rm_usage, rm_catalog,
             projection FROM ledger_api, ledger_auditor;
         GRANT SELECT ON {INDEX} TO ledger_auditor"
    ));
    for (trainer, before) in trainers().iter().zip(before) {
        assert_eq!(moment(trainer).await, before, "{trainer}");
    }
    let live = as_reader(&world.pools.auditor, &world.tenant, None).await.unwrap();
    let live = { live }.holdings(&trainers()[0]).await;
    assert!(live.is_err(), "the rights are gone");
}

#[tokio::test]
async fn an_event_that_waits_ends_the_answer() {
    let world = World::busy(CUSTOMERS, 1).await;
    let trainer = &trainers()[1];
    let before = world.ask(trainer, END, None).await;
    assert_eq!(before.lacks, None);
    let position = before.holdings.subscriptions[0].position;
    world.sql(&format!(
        "INSERT INTO projection.parked_event (tenant, read_model, unit, position)
         VALUES ('default', 'rm_subscriptions', 'customer/cus_1', {position})"
    ));
    let after = world.ask(trainer, END, None).await;
    assert_eq!(after.lacks, Some(position));
    assert!(after.holdings.subscriptions[0].position < position);
    assert_eq!(world.ask(&trainers()[2], END, None).await.lacks, None);
}

#[tokio::test]
async fn usage_is_no_event_to_fold_and_too_much_else_is_refused() {
    let world = World::new().await;
    let toml = include_str!("../../../catalogs/trainers.toml");
    let publish = json!({"effective_at": "2026-03-01T12:00:00Z", "toml": toml, "prices": {}});
    let mut events = vec![
        act("catalog-1", "tenant", 1, "CatalogPublished", &publish),
        act(
            "assign-1",
            "trainer-t1",
            0,
            "TierAssigned",
            &json!({"trainer": "t1", "tier": "starter"}),
        ),
    ];
    events.extend((0..30).map(|n| used("t1", n, 1_774_915_200 + n * 86_400, 1)));
    world.append(events).await;
    world.project(100).await;
    let trainer = TrainerId::try_new("t1").unwrap();
    let as_of = world.as_of().limited_to(3);
    for (day, count) in [(0, 1), (9, 10), (29, 30), (400, 30)] {
        let moment = Moment::past(Timestamp::from_unix(1_774_915_200 + day * 86_400), None);
        let then = as_of.ask(world.billed(), &trainer, moment).await.unwrap();
        assert_eq!(then.used["customers"], count, "day {day}");
    }
    let told = |n: i64| {
        let snapshot = json!({"id": "cus_1", "metadata": {"trainer_id": "t1"}});
        let mut event = webhook(
            &format!("evt_{n}"),
            1_774_915_200 + n,
            "CustomerReported",
            &json!({"before": "absent", "cause": "updated", "snapshot": snapshot}),
        );
        event.stream = format!("stripe-evt_{n}").parse().unwrap();
        event
    };
    let link = json!({"trainer": "t1", "customer": "cus_1"});
    world.append(vec![act("link", "api-link", 0, "CustomerLinked", &link)]).await;
    world.append((0..5).map(told).collect()).await;
    world.project(100).await;
    let moment = Moment::past(END, None);
    let refused = as_of.ask(world.billed(), &trainer, moment).await;
    assert!(matches!(refused, Err(AsOfError::TooMany { limit: 3 })), "{refused:?}");
    assert!(world.as_of().ask(world.billed(), &trainer, moment).await.is_ok());
}

#[tokio::test]
async fn what_was_used_is_told_by_the_last_events_that_were_known() {
    let world = World::new().await;
    let toml = include_str!("../../../catalogs/trainers.toml");
    let publish = json!({"effective_at": day_of(0), "toml": toml, "prices": {}});
    world.append(vec![act("catalog-1", "tenant", 1, "CatalogPublished", &publish)]).await;
    let uses = (0..25).map(|day| used("t1", day, day_of(day).unix(), 2));
    world.append(uses.collect()).await;
    let early = Some(world.recorded_at().await);
    world.append(vec![used("t1", 25, day_of(20).unix(), 1)]).await;
    world.project(100).await;
    let (trainer, feature) =
        (TrainerId::try_new("t1").unwrap(), FeatureSlug::try_new("customers").unwrap());
    for (day, known_at, used, told, is_late_told) in [
        (0, None, 2, 1, false),
        (9, None, 20, 10, false),
        (24, early, 50, 20, false),
        (24, None, 51, 20, true),
    ] {
        let moment = Moment::past(day_of(day), known_at);
        let told_now = world.as_of().explain(world.billed(), &trainer, moment, &feature).await;
        let explanation = told_now.unwrap().explanation.unwrap();
        assert_eq!(explanation.check.meter.used, used, "day {day}");
        let step = explanation.steps.iter().find(|step| step.what == "usage").unwrap();
        assert_eq!(step.events.len(), told, "day {day}");
        let late = step.events.iter().any(|event| event.id.as_str() == "use-t1-25");
        assert_eq!(late, is_late_told, "day {day}");
    }
}

/// Said on a day of the scenario.
fn on_day(day: i64, event: NewEvent) -> NewEvent {
    NewEvent { occurred_at: day_of(day), ..event }
}

fn day_of(day: i64) -> Timestamp {
    Timestamp::from_unix(1_774_915_200 + day * 86_400)
}

#[tokio::test]
async fn catalogues_and_enforcement_are_those_that_had_been_said_by_then() {
    let world = World::new().await;
    let toml = include_str!("../../../catalogs/trainers.toml");
    let richer = toml.replacen("customers = 9\n", "customers = 90\n", 1);
    let publish = |toml: &str, day| {
        let data = json!({"effective_at": day_of(day), "toml": toml, "prices": {}});
        move |id, revision| act(id, "tenant", revision, "CatalogPublished", &data)
    };
    let enforce = |id, revision, mode: &str| {
        act(id, "tenant", revision, "EnforcementChanged", &json!({ "mode": mode }))
    };
    let assign = json!({"trainer": "t1", "tier": "starter"});
    world
        .append(vec![
            on_day(0, publish(toml, 0)("catalog-1", 1)),
            on_day(0, act("assign-1", "trainer-t1", 0, "TierAssigned", &assign)),
            on_day(2, enforce("enforce-1", 2, "shadow")),
        ])
        .await;
    let early = Some(world.recorded_at().await);
    world
        .append(vec![
            on_day(5, publish(&richer, 8)("catalog-2", 3)),
            on_day(6, enforce("enforce-2", 4, "off")),
        ])
        .await;
    world.project(100).await;
    let (trainer, feature) =
        (TrainerId::try_new("t1").unwrap(), FeatureSlug::try_new("customers").unwrap());
    for (day, known_at, limit, ahead, mode) in [
        (1, None, 9, None, None),
        (3, None, 9, None, Some(Enforcement::Shadow)),
        // Published, and not in force.
        (7, None, 9, Some(90), Some(Enforcement::Off)),
        (9, None, 90, None, Some(Enforcement::Off)),
        (9, early, 9, None, Some(Enforcement::Shadow)),
    ] {
        let moment = Moment::past(day_of(day), known_at);
        let then = world.ask(&trainer, day_of(day), known_at).await;
        assert_eq!(then.answer.features["customers"].limit(), Some(limit), "day {day}");
        assert_eq!(then.enforced.map(|enforced| enforced.mode), mode, "day {day}");
        let told = world.as_of().explain(world.billed(), &trainer, moment, &feature).await.unwrap();
        let told = told.explanation.unwrap();
        let next = told.ahead.first();
        assert_eq!(next.and_then(|next| next.limit), ahead, "day {day}");
        assert_eq!(next.map(|next| next.at), ahead.map(|_| day_of(8)), "day {day}");
        let catalog = told.steps.iter().find(|step| step.what == "catalog").unwrap();
        let published = if limit == 9 { "catalog-1" } else { "catalog-2" };
        assert_eq!(catalog.events[0].id.as_str(), published, "day {day}");
    }
}

#[tokio::test]
async fn before_the_ledger_knew_anything_there_is_no_answer() {
    let world = World::new().await;
    world.project(100).await;
    let opened = world.recorded_at().await;
    world.append(given::busy(1, 1)).await;
    let trainer = &trainers()[0];
    for (known_at, is_behind) in [(opened.plus(-1), false), (opened, false), (END, true)] {
        let moment = Moment::past(END, Some(known_at.min(END.plus(-1))));
        let refused = world.as_of().ask(world.billed(), trainer, moment).await.unwrap_err();
        match refused {
            AsOfError::NothingKnown => assert!(!is_behind),
            AsOfError::Behind { at: 1, .. } => assert!(is_behind),
            other => panic!("{other}"),
        }
    }
    world.project(100).await;
    // The first catalogue is in force since always.
    let then = world.ask(trainer, Timestamp::from_unix(0), None).await;
    assert_eq!(then.holdings, Holdings::default());
    assert_eq!(then.enforced, None);
}

#[tokio::test]
async fn acts_of_administrators_explain_what_they_did() {
    let world = World::busy(2, 1).await;
    let trainer = &trainers()[1];
    let then = world.ask(trainer, END, None).await;
    let flying = FeatureSlug::try_new("flying").unwrap();
    assert_eq!(world.explain(trainer, &flying).await, None);
    let feature = then.answer.features.keys().next().unwrap();
    let told = world.explain(trainer, feature).await.unwrap();
    assert_eq!(told.check.denial, Some(Denial::AccountSuspended));
    let events = |what: &str| {
        let step = told.steps.iter().find(|step| step.what == what);
        step.map(|step| step.events.iter().map(|event| event.id.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(events("suspension").unwrap(), ["act-1-5"]);
    assert_eq!(events("enforcement").unwrap(), ["enforce-2"]);
    assert_eq!(events("catalog").unwrap(), ["catalog-1"]);
    assert_eq!(told.remedies[0].what, "reinstate");
}
