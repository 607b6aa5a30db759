//! The feed of changed answers: nobody is answered differently without having been told of.

use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::catalog::ResolvedPrices;
use ledger_domain::event::stripe::Before;
use ledger_domain::event::{CatalogPublished, Enforcement, EnforcementChanged, Event};
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{EventLog, NewEvent};
use ledger_projections::{
    Change, Config, Cursor, Heard, Held, Runner, Whose, discard_parked, retry_parked,
};
use tokio::time::Instant;

use crate::given::{self, DAY_0, snapshot};
use crate::world::{PATIENCE, World, config, start, trainer, until};

/// What the feed tells of a tenant since a cursor.
async fn heard(runner: &Runner, tenant: &Tenant, since: Option<Cursor>) -> Option<Heard> {
    let known: Vec<_> = since.into_iter().map(|cursor| (tenant.clone(), cursor)).collect();
    let all = runner.feed().ask(&known).await.unwrap();
    all.into_iter().find(|(of, _)| of == tenant).map(|(_, heard)| heard)
}

async fn cursor(runner: &Runner, tenant: &Tenant) -> Cursor {
    heard(runner, tenant, None).await.unwrap().to
}

/// Appends events and waits until they are taken in.
async fn take_in(world: &World, runner: &Runner, tenant: &Tenant, events: Vec<NewEvent>) {
    world.log.append(tenant, events).await.unwrap();
    let head = world.log.head(tenant).await.unwrap().unwrap().position;
    runner.positions().wait_for(tenant, head, Instant::now() + PATIENCE).await.unwrap();
}

/// All that an answer about a trainer is made from, without where the read models are.
async fn held(world: &World, tenant: &Tenant, trainer: &TrainerId) -> Held {
    let mut reader = world.reader(tenant, Some(trainer)).await;
    let held = reader.held(trainer, Timestamp::from_unix(DAY_0 + 86_400)).await.unwrap();
    reader.finish().await.unwrap();
    Held { position: 0, heard: None, ..held }
}

/// Everybody, or the names of those who hold something else and of those who used something.
fn told(change: &Change) -> String {
    let names = |trainers: &[TrainerId]| {
        trainers.iter().map(TrainerId::as_str).collect::<Vec<_>>().join(" ")
    };
    match &change.whose {
        Whose::Everybody => "everybody".into(),
        Whose::Of { trainers, users } if users.is_empty() => names(trainers),
        Whose::Of { trainers, users } => format!("{} used by {}", names(trainers), names(users)),
    }
}

fn catalog() -> NewEvent {
    let published = CatalogPublished {
        effective_at: Timestamp::from_unix(DAY_0),
        prices: ResolvedPrices::default(),
        toml: include_str!("../../../catalogs/workspace.toml").into(),
    };
    given::act("c0", "tenant", 1, Event::CatalogPublished(published))
}

fn enforcement() -> NewEvent {
    let mode = Enforcement::Shadow;
    given::act("m0", "tenant", 2, Event::EnforcementChanged(EnforcementChanged { mode }))
}

/// Another customer's webhooks, and what makes it another trainer's later.
fn moving() -> Vec<(NewEvent, &'static str)> {
    let of = |status| snapshot("sub_2", "cus_2", status, DAY_0);
    vec![
        (given::subscription("evt_m1", DAY_0, "created", of("active")), ""),
        (given::linked("l1", 0, "cus_2", "t2"), "t2"),
        (given::linked("l2", 0, "cus_2", "t3"), "t2 t3"),
        (given::subscription("evt_m2", DAY_0 + 9, "updated", of("canceled")), "t3"),
    ]
}

#[tokio::test]
async fn each_change_tells_whose_answers_it_may_change() {
    let world = World::new();
    let tenant = world.open("default").await;
    let runner = world.runner(config("test"));
    let running = start(&runner, &tenant);
    take_in(&world, &runner, &tenant, vec![given::registered("r0", 0, "t9")]).await;
    let mut steps = vec![
        (catalog(), "everybody"),
        (enforcement(), "everybody"),
        (given::month()[11].clone(), ""),
        (given::assigned("a0", 0, "t1", "enterprise"), "t1"),
        (given::lifted("a1", 1, "t1", 20), "t1"),
        (given::suspended("a2", 2, "t1"), "t1"),
        (given::used("u0", 0, "t1", DAY_0, 3), " used by t1"),
        (given::used("u1", 1, "t1", DAY_0, -1), " used by t1"),
    ];
    steps.extend(moving());
    for (event, expected) in steps {
        let key = event.key.id.clone();
        let since = cursor(&runner, &tenant).await;
        take_in(&world, &runner, &tenant, vec![event]).await;
        let heard = heard(&runner, &tenant, Some(since)).await.unwrap();
        let told: Vec<String> = heard.changes.unwrap().iter().map(told).collect();
        let expected: Vec<&str> = Some(expected).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(told, expected, "{key}");
        let head = world.log.head(&tenant).await.unwrap().unwrap().position;
        assert_eq!(heard.position, head, "where the read models are comes with it");
    }
    running.stop().await.unwrap();
}

/// Whatever changes what an answer is made from is told of, by whichever way it does: each event by
/// itself, in two orders.
#[tokio::test]
async fn nothing_that_an_answer_is_made_from_changes_untold() {
    let world = World::new();
    let mut events = given::month();
    events.extend(moving().into_iter().map(|(event, _)| event));
    let before = Before::NoObject;
    events.push(given::customer("evt_c1", DAY_0, "t4", before));
    events.push(given::linked("l9", 0, "cus_1", "t5"));
    events.push(given::used("u0", 0, "t1", DAY_0, 3));
    events.push(given::assigned("a0", 1, "t5", "enterprise"));
    let trainers: Vec<TrainerId> = ["t1", "t2", "t3", "t4", "t5"].map(trainer).into();
    for (name, is_backwards) in [("forwards", false), ("backwards", true)] {
        let tenant = world.open(name).await;
        let runner = world.runner(config(name));
        let running = start(&runner, &tenant);
        take_in(&world, &runner, &tenant, vec![given::registered("r0", 0, "t9")]).await;
        let mut order = events.clone();
        if is_backwards {
            order.reverse();
            // Acts of one stream have their order.
            order.sort_by_key(|event| event.key.id.as_str() == "a0");
        }
        let mut known = BTreeMap::new();
        for trainer in &trainers {
            known.insert(trainer.clone(), held(&world, &tenant, trainer).await);
        }
        let mut moved = BTreeSet::new();
        for event in order {
            let key = event.key.id.clone();
            let since = cursor(&runner, &tenant).await;
            take_in(&world, &runner, &tenant, vec![event]).await;
            let changes = heard(&runner, &tenant, Some(since)).await.unwrap().changes.unwrap();
            for (trainer, known) in &mut known {
                let now = held(&world, &tenant, trainer).await;
                let is_told = |change: &Change| match &change.whose {
                    Whose::Everybody => true,
                    Whose::Of { trainers, .. } if trainers.contains(trainer) => true,
                    Whose::Of { users, .. } => {
                        users.contains(trainer) && now.holdings == known.holdings
                    }
                };
                if now != *known {
                    moved.insert(trainer.clone());
                    assert!(changes.iter().any(is_told), "{key} of {trainer}: {changes:?}");
                }
                *known = now;
            }
        }
        assert!(moved.len() >= 3, "{moved:?} were answered differently");
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn who_misses_a_change_is_told_so() {
    let world = World::new();
    let tenant = world.open("default").await;
    let runner = world.runner(config("first"));
    let running = start(&runner, &tenant);
    take_in(&world, &runner, &tenant, vec![given::registered("r0", 0, "t1")]).await;
    let since = cursor(&runner, &tenant).await;
    take_in(&world, &runner, &tenant, vec![given::registered("r1", 0, "t2")]).await;
    let whole = heard(&runner, &tenant, Some(since)).await.unwrap();
    assert_eq!(whole.changes.unwrap().len(), 1);

    // Another session, also of the same runner: a page of the old one may have been lost.
    running.stop().await.unwrap();
    let running = start(&runner, &tenant);
    until("the next session begins", || {
        world.sql("SELECT id FROM projection.answer_feed") != since.id.to_string()
    })
    .await;
    let other = heard(&runner, &tenant, Some(whole.to)).await.unwrap();
    assert_eq!((other.changes, other.to.number), (None, whole.to.number));
    running.stop().await.unwrap();

    // A change that is gone, or more of them than are kept.
    take_in_again(&world, &tenant).await;
    let now = cursor(&runner, &tenant).await;
    let earlier = Cursor { number: now.number - 1, ..now };
    assert!(heard(&runner, &tenant, Some(earlier)).await.unwrap().changes.is_some());
    world.sql("DELETE FROM projection.answer_change");
    assert_eq!(heard(&runner, &tenant, Some(earlier)).await.unwrap().changes, None);
    // A backup was put back.
    let later = Cursor { number: now.number + 1, ..now };
    assert_eq!(heard(&runner, &tenant, Some(later)).await.unwrap().changes, None);
}

async fn take_in_again(world: &World, tenant: &Tenant) {
    let runner = world.runner(config("second"));
    let running = start(&runner, tenant);
    take_in(world, &runner, tenant, vec![given::registered("r2", 0, "t3")]).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn only_the_last_changes_are_kept() {
    let world = World::new();
    let tenant = world.open("default").await;
    let runner = world.runner(config("test"));
    let running = start(&runner, &tenant);
    take_in(&world, &runner, &tenant, vec![given::registered("r0", 0, "t1")]).await;
    let first = cursor(&runner, &tenant).await;
    // As if very many had come.
    world.sql("UPDATE projection.answer_feed SET number = number + 1000");
    take_in(&world, &runner, &tenant, vec![given::registered("r1", 0, "t2")]).await;
    assert_eq!(world.sql("SELECT count(*) FROM projection.answer_change"), "1");
    assert_eq!(heard(&runner, &tenant, Some(first)).await.unwrap().changes, None);
    running.stop().await.unwrap();
}

fn refuse_cus_1(entry: &ledger_domain::event::Entry) {
    let is_subject = match &entry.event {
        Event::SubscriptionReported(e) => e.snapshot.id.as_str() == "sub_1",
        _ => false,
    };
    assert!(!is_subject, "a mistake in the fold");
}

#[tokio::test]
async fn what_is_parked_and_given_up_concerns_everybody() {
    let world = World::new();
    let tenant = world.open("default").await;
    let runner = world.runner(Config { before_fold: Some(refuse_cus_1), ..config("test") });
    let running = start(&runner, &tenant);
    take_in(&world, &runner, &tenant, vec![given::linked("l0", 0, "cus_1", "t1")]).await;
    let mut since = cursor(&runner, &tenant).await;
    let sold =
        given::subscription("evt_1", DAY_0, "created", snapshot("sub_1", "cus_1", "active", DAY_0));
    take_in(&world, &runner, &tenant, vec![sold]).await;
    let parked = heard(&runner, &tenant, Some(since)).await.unwrap();
    assert_eq!(parked.changes.unwrap().iter().map(told).collect::<Vec<_>>(), ["everybody"]);
    since = parked.to;
    let told_so = || world.sql("SELECT parked FROM projection.answer_feed");
    assert_eq!(told_so(), "t");
    assert!(held(&world, &tenant, &trainer("t1")).await.is_parked);

    let pool = &world.pools.projector;
    let first = world.sql("SELECT min(position) FROM projection.parked_event").parse().unwrap();
    assert!(discard_parked(pool, &tenant, "customer/cus_1", first).await.unwrap());
    assert!(retry_parked(pool, &tenant, "customer/cus_1").await.unwrap());
    until("nothing is parked any more", || told_so() == "f").await;
    let heard = heard(&runner, &tenant, Some(since)).await.unwrap();
    let told: BTreeSet<String> = heard.changes.unwrap().iter().map(told).collect();
    assert_eq!(told, BTreeSet::from(["everybody".to_owned()]));
    assert!(!held(&world, &tenant, &trainer("t1")).await.is_parked);
    running.stop().await.unwrap();
}
