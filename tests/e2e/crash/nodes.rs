//! Two service processes on one database, and any of the three is killed.

use tokio::task::block_in_place;

use super::chance::Chance;
use super::kills::PROGRESS;
use super::load::Load;
use super::{Kills, expect_all};
use crate::check::expect_equal_to_a_fold;
use crate::harness::{Stripe, TestApp, soak};

/// Who is killed, by turns.
const VICTIMS: [Victim; 3] = [Victim::One, Victim::PostgreSql, Victim::Other];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    One,
    Other,
    PostgreSql,
}

/// The two services, which callers take by turns.
struct Pair {
    app: TestApp,
    other: TestApp,
}

impl Pair {
    fn targets(&self) -> Vec<Stripe> {
        vec![self.app.stripe(), self.other.stripe()]
    }

    /// Kills one of the two; the other one serves alone, until both do. Tells how many requests
    /// were cut off.
    async fn kill_service(&mut self, victim: Victim, load: &Load) -> usize {
        let service = if victim == Victim::One { &mut self.app } else { &mut self.other };
        let under_way = load.under_way().await;
        service.kill();
        load.wait_for_more(PROGRESS).await;
        service.spawn_service().await;
        load.aim_at(self.targets());
        load.cut_off(&under_way).await
    }

    /// Tells how many requests waited meanwhile.
    async fn kill_postgresql(&self, load: &Load) -> usize {
        let under_way = load.under_way().await;
        let cluster = self.app.database.cluster();
        block_in_place(|| cluster.kill_postmaster().expect("the server can be killed"));
        let waiting = load.unfinished(&under_way);
        block_in_place(|| cluster.start().expect("the server recovers"));
        waiting
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_share_one_log_whoever_is_killed() {
    let app = TestApp::start_on_own_cluster().await;
    let other = app.another().await;
    let mut pair = Pair { app, other };
    let load = Load::start(pair.targets());
    let mut chance = Chance::new();
    let mut kills = VICTIMS.map(|victim| (victim, Kills::wanted(soak(3, 100))));
    while let Some((victim, kills)) =
        kills.iter_mut().filter(|(_, kills)| !kills.are_enough()).min_by_key(|(_, it)| it.all)
    {
        load.wait_for_more(PROGRESS).await;
        chance.pause().await;
        kills.add(match victim {
            Victim::PostgreSql => pair.kill_postgresql(&load).await,
            service => pair.kill_service(*service, &load).await,
        });
    }
    load.wait_for_more(PROGRESS).await;
    let seen = load.finish().await;

    // What one has acknowledged, the other one knows.
    let Pair { mut app, mut other } = pair;
    let last = *seen.acknowledged.values().max().expect("acknowledged events");
    for service in [&app, &other] {
        service.wait_until_ready().await;
        let current = service.trainer("c0-0").read_at("/api/v1/tiers/current", last).await;
        assert!(current["status"].is_string(), "{current}");
    }
    expect_all(&app, &seen.acknowledged).await;
    other.stop().await;
    expect_equal_to_a_fold(&mut app).await;
}
