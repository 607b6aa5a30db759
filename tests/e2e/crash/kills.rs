//! SIGKILL at random instants under load.

use tokio::task::block_in_place;

use super::chance::Chance;
use super::load::Load;
use super::{Kills, expect_all};
use crate::check::expect_equal_to_a_fold;
use crate::harness::{TestApp, soak};

/// Acknowledged events between two kills, at least: the service works in between.
pub(super) const PROGRESS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_survives_kills_of_the_service() {
    let mut app = TestApp::start_on_own_cluster().await;
    let load = Load::start(vec![app.stripe()]);
    let mut chance = Chance::new();
    let mut kills = Kills::wanted(soak(10, 500));
    while !kills.are_enough() {
        load.wait_for_more(PROGRESS).await;
        chance.pause().await;
        let under_way = load.under_way().await;
        app.kill();
        app.spawn_service().await;
        load.aim_at(vec![app.stripe()]);
        kills.add(load.cut_off(&under_way).await);
    }
    app.wait_until_ready().await;
    let seen = load.finish().await;
    expect_all(&app, &seen.acknowledged).await;
    expect_equal_to_a_fold(&mut app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_survives_kills_of_postgresql() {
    let mut app = TestApp::start_on_own_cluster().await;
    let load = Load::start(vec![app.stripe()]);
    let mut chance = Chance::new();
    let mut kills = Kills::wanted(soak(10, 500));
    while !kills.are_enough() {
        load.wait_for_more(PROGRESS).await;
        chance.pause().await;
        let under_way = load.under_way().await;
        block_in_place(|| app.database.cluster().kill_postmaster().expect("it can be killed"));
        // They are answered late instead of not at all: the service tries again itself.
        kills.add(load.unfinished(&under_way));
        block_in_place(|| app.database.cluster().start().expect("the server recovers"));
    }
    load.wait_for_more(PROGRESS).await;
    let seen = load.finish().await;
    expect_all(&app, &seen.acknowledged).await;
    expect_equal_to_a_fold(&mut app).await;
}

/// Asked to end, it finishes what it has begun, and whoever comes later finds the next one.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_ends_in_order_under_load() {
    let mut app = TestApp::start().await;
    let load = Load::start(vec![app.stripe()]);
    for _ in 0..2 {
        load.wait_for_more(PROGRESS).await;
        app.stop().await;
        app.spawn_service().await;
        load.aim_at(vec![app.stripe()]);
    }
    let seen = load.finish().await;
    expect_all(&app, &seen.acknowledged).await;
}
