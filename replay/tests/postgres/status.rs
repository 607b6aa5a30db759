//! Where log and read models are.

use ledger_replay::status::{State, status};

use crate::given;
use crate::world::{World, tenant};

#[tokio::test]
async fn positions_lag_and_parked_units_are_told() {
    let world = World::new().await;
    let ask = async || status(&world.pools, &*world.log, &world.tenant).await.unwrap();
    let states = async || {
        let told = ask().await;
        told.read_models.iter().map(|it| (it.position, it.lag_events, it.state)).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [(0, 1, State::NotBegun); 4]);

    world.project(10).await;
    assert_eq!(states().await, [(1, 0, State::Current); 4]);

    world.append(given::customer(1)).await;
    assert_eq!(states().await, [(1, 11, State::Behind); 4]);
    let told = ask().await;
    assert_eq!(told.log.as_ref().unwrap().position, 12);
    assert!(told.read_models[0].lag_ms.is_some());
    assert_eq!((told.parked.len(), told.more_parked), (0, false));

    let unreadable = given::act("future", "trainer-t9", 0, "TrainerSuspended", &9.into());
    world.append(vec![unreadable]).await;
    world.project(10).await;
    let told = ask().await;
    let [parked] = &told.parked[..] else { panic!("{told:?}") };
    assert_eq!((parked.unit.as_str(), parked.events), ("event/13", 1));
    assert_eq!(parked.first_position, Some(13));
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["read_models"][0]["state"], "current");
    assert_eq!(json["read_models"][0]["version"], "live");

    world.sql("UPDATE projection.checkpoint SET position = 14 WHERE read_model = 'rm_usage'");
    world.sql("UPDATE projection.checkpoint SET epoch = 2 WHERE read_model = 'rm_catalog'");
    let told = states().await.into_iter().map(|(_, _, state)| state).collect::<Vec<_>>();
    assert_eq!(told, [State::Current, State::Current, State::OtherLog, State::AheadOfLog]);
}

#[tokio::test]
async fn a_tenant_without_a_log_has_a_status_too() {
    let world = World::new().await;
    let told = status(&world.pools, &*world.log, &tenant("nobody")).await.unwrap();
    assert_eq!(told.log, None);
    assert!(told.read_models.iter().all(|it| it.state == State::NotBegun && it.lag_events == 0));
}
