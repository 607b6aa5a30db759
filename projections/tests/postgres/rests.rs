//! What was used within a window comes with the rest, to the microsecond, also where the window
//! begins or ends in the middle of a day.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Billing, Setting, effective};
use ledger_domain::id::{FeatureSlug, Tenant};
use ledger_domain::time::{DAY, Interval, SECOND, Timestamp};
use ledger_log::postgres::{PostgresLog, Settings};
use ledger_log::{EventLog, NewEvent, system_clock};
use ledger_projections::{Held, Runner, UsageSum};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::given;
use crate::world::{World, catch_up, config, open, trainer};

/// A plan with a quota of the month and one of the billing period.
const CATALOG: &str = include_str!("../../../catalogs/membership.toml");

/// The first day on which anybody asks.
const FIRST: i64 = 1_767_225_600;

/// A subscription, and the instant at which somebody asks. Instants of Stripe's are seconds.
#[derive(Debug, Clone)]
struct Life {
    anchor: Option<i64>,
    started: i64,
    period: Option<(i64, i64)>,
    price: &'static str,
    interval: &'static str,
    count: Option<i64>,
    ended: bool,
    now: i64,
}

fn lives() -> impl Strategy<Value = Life> {
    let day = DAY / SECOND;
    let now = (FIRST * SECOND)..((FIRST + 800 * day) * SECOND);
    // Before `now`, about it, after it: a renewal that is told late, or by a faster clock.
    let begins = prop_oneof![3 => -31 * day..0, 2 => -800 * day..0, 1 => 0..3 * day];
    let period = of((begins, prop_oneof![0..40 * day, Just(365 * day), Just(30 * day)]));
    let plan = (
        select(vec!["price_elite_month", "price_elite_year"]),
        select(vec!["day", "week", "month", "month", "year", "year"]),
        of(select(vec![0, 1, 2, 5, 4_000_000_000_i64])),
    );
    let before = (of(0..1_500 * day), 0..1_500 * day);
    (now, before, period, plan, prop::bool::weighted(0.05)).prop_map(
        |(now, (anchor, started), period, (price, interval, count), ended)| {
            let second = now / SECOND;
            let from = |begins: i64| second + begins;
            Life {
                anchor: anchor.map(|before| second - before),
                started: second - started,
                period: period.map(|(begins, length)| (from(begins), from(begins) + length)),
                price,
                interval,
                count,
                ended,
                now,
            }
        },
    )
}

/// The statements that make a subscription known.
fn known(number: usize, life: &Life) -> String {
    let at = |at: Option<i64>| at.map_or("NULL".to_owned(), |at| format!("to_timestamp({at})"));
    let Life { anchor, started, period, price, interval, count, ended, now } = life;
    let (from, until) = (at(period.map(|it| it.0)), at(period.map(|it| it.1)));
    let (anchor, started) = (at(*anchor), at(Some(*started)));
    let ended = at(ended.then_some(now / SECOND - 5));
    let count = count.map_or("NULL".to_owned(), |count| count.to_string());
    format!(
        "INSERT INTO rm_subscriptions.trainer_subscriptions (tenant, subscription_id, trainer_id,
            status, items_complete, anchor_at, started_at, current_period_start,
            current_period_end, ended_at, collection_paused, once_active, last_event_id, position)
         VALUES ('default', 'sub_{number}', 't{number}', 'active', true, {anchor}, {started},
            {from}, {until}, {ended}, false, true, 'evt_{number}', 1);
         INSERT INTO rm_subscriptions.subscription_items (tenant, subscription_id, ordinal,
            trainer_id, price_id, \"interval\", interval_count)
         VALUES ('default', 'sub_{number}', 0, 't{number}', '{price}', '{interval}', {count});"
    )
}

/// A ledger's database with these subscriptions, and its log.
struct Stage {
    world: World,
    log: Arc<PostgresLog>,
    tenant: Tenant,
    catalog: Catalog,
    lives: Vec<Life>,
    revisions: HashMap<(usize, FeatureSlug), i64>,
    count: usize,
}

impl Stage {
    async fn new(lives: Vec<Life>) -> Self {
        let world = World::new();
        let log = PostgresLog::connect(&world.pools, system_clock(), Settings::default());
        let log = Arc::new(log.await.unwrap());
        let tenant = open(&*log, "default", 1).await;
        let statements: Vec<String> =
            lives.iter().enumerate().map(|(number, life)| known(number, life)).collect();
        // They are an argument of a command, which has a longest length.
        statements.chunks(50).for_each(|some| drop(world.sql(&some.concat())));
        let price = |name: &str| {
            let plan = name.rsplit_once("TIER_").unwrap().1.to_lowercase();
            let is_yearly = plan.ends_with("_year");
            Some(format!("price_{plan}{}", if is_yearly { "" } else { "_month" }))
        };
        let catalog = Catalog::parse(CATALOG, &price).unwrap().catalog;
        let (revisions, count) = (HashMap::new(), 0);
        Self { world, log, tenant, catalog, lives, revisions, count }
    }

    async fn held(&self, number: usize) -> Held {
        let trainer = trainer(&format!("t{number}"));
        let mut reader = self.world.reader(&self.tenant, Some(&trainer)).await;
        let now = Timestamp::from_micros(self.lives[number].now);
        let held = reader.held(&trainer, now).await.unwrap();
        reader.finish().await.unwrap();
        held
    }

    /// The windows of a trainer's quotas.
    async fn windows(&self, number: usize) -> Vec<(FeatureSlug, Interval)> {
        let holdings = self.held(number).await.holdings;
        let now = Timestamp::from_micros(self.lives[number].now);
        let (catalog, billing) = (&self.catalog, Billing::Stripe);
        let answer = effective(&holdings, &Setting { catalog, catalog_until: None, billing, now });
        let quotas = answer.features.into_iter();
        quotas.filter_map(|(feature, has)| Some((feature, has.window?))).collect()
    }

    /// Uses something about an instant, each time another quantity.
    fn use_about(&mut self, number: usize, feature: &FeatureSlug, at: Timestamp) -> Vec<NewEvent> {
        let hour = 3_600 * SECOND;
        [-7 * hour, -1, 0, 1, 5 * hour]
            .map(|micros| {
                self.count += 1;
                let revision = self.revisions.entry((number, feature.clone())).or_default();
                *revision += 1;
                let quantity = i64::try_from(self.count * 7 % 23).unwrap() - 6;
                let of = (format!("t{number}"), feature.to_string());
                let of = (of.0.as_str(), of.1.as_str());
                let id = format!("u{}", self.count);
                given::used_of(&id, *revision - 1, of, at.plus(micros), quantity)
            })
            .to_vec()
    }

    fn use_about_all(&mut self, windows: &[Vec<(FeatureSlug, Interval)>]) -> Vec<NewEvent> {
        let mut events = Vec::new();
        for (number, own) in windows.iter().enumerate() {
            for (feature, window) in own {
                events.extend(self.use_about(number, feature, window.from));
                events.extend(self.use_about(number, feature, window.until));
            }
        }
        events
    }

    /// Compares what was read with what the log says, and tells in how many windows days alone
    /// wouldn't have done.
    async fn check(&self, windows: &[Vec<(FeatureSlug, Interval)>]) -> usize {
        let mut parts = 0;
        for (number, windows) in windows.iter().enumerate() {
            let held = self.held(number).await;
            let trainer = trainer(&format!("t{number}"));
            let mut reader = self.world.reader(&self.tenant, Some(&trainer)).await;
            for (feature, window) in windows {
                let sum = held.usage.sum(feature, Some(*window));
                let (log, tenant) = (&self.log, &self.tenant);
                let told = log.usage(tenant, &trainer, feature, *window, held.position).await;
                let used = told.unwrap().iter().map(|(_, quantity)| quantity).sum();
                let life = &self.lives[number];
                let expected = UsageSum { used, unsettled: Vec::new() };
                assert_eq!(sum, Some(expected), "{feature} {window:?} {life:?}");
                let by_days = [(feature.clone(), Some(*window))];
                let by_days = reader.usage(&trainer, &by_days).await.unwrap();
                parts += usize::from(!by_days[0].unsettled.is_empty());
            }
            reader.finish().await.unwrap();
        }
        parts
    }
}

#[tokio::test]
async fn parts_of_days_are_read_with_the_rest_for_every_window() {
    let mut runner = TestRunner::deterministic();
    let lives = (0..200).map(|_| lives().new_tree(&mut runner).unwrap().current()).collect();
    let mut stage = Stage::new(lives).await;
    let mut windows = Vec::new();
    for number in 0..stage.lives.len() {
        windows.push(stage.windows(number).await);
    }
    let events = stage.use_about_all(&windows);
    stage.log.append(&stage.tenant, events).await.unwrap();
    let projector = stage.world.pools.projector.clone();
    let runner = Runner::new(projector, stage.log.clone(), config("test"));
    catch_up(&runner, &*stage.log, &stage.tenant).await.unwrap();
    // What comes after the position that the read models are at counts nowhere yet.
    let later = stage.use_about_all(&windows);
    stage.log.append(&stage.tenant, later).await.unwrap();

    let parts = stage.check(&windows).await;
    assert!(parts > 300, "{parts} windows begin or end in the middle of a day");
    stage.log.shutdown().await;
}
