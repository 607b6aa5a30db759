//! What is as the log says is found to be so.

use ledger_projections::ReadModel;
use ledger_replay::{VerifyConfig, VerifyError};

use crate::world::{World, config, tenant};

#[tokio::test]
async fn a_busy_log_gives_what_is_live_however_it_is_cut_into_pages() {
    for seed in 0..3 {
        let world = World::busy(12, seed).await;
        let mut digests = Vec::new();
        // A cache without room makes every unit come from the tables for every page.
        for (page_events_max, cache_bytes) in [(4_096, 64 << 20), (5, 0), (64, 4_096)] {
            let config = VerifyConfig { page_events_max, cache_bytes, ..config() };
            let report = world.try_verify(config).await.unwrap();
            assert!(report.equal, "seed {seed}: {report:#?}");
            assert_eq!(report.attempts, 1, "nothing moves");
            let tables: Vec<_> =
                report.read_models.iter().flat_map(|model| &model.tables).collect();
            assert_eq!(tables.len(), world.tables().len(), "every table");
            for table in &tables {
                let live = table.live.as_ref().unwrap();
                assert!(live.rows > 0, "the scenario leaves {} empty", table.table);
            }
            digests.push(tables.iter().map(|table| table.live.clone()).collect::<Vec<_>>());
            assert_eq!(world.leftovers(), "");
        }
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "the same rows, the same hash");
    }
}

#[tokio::test]
async fn one_read_model_is_verified_alone_and_nothing_live_is_touched() {
    let world = World::busy(4, 1).await;
    // Whoever writes here puts these back.
    world.sql("DELETE FROM rm_subscriptions.anomaly; DELETE FROM rm_usage.tier_usage_tracking");
    let state = |world: &World| {
        let tables = world.tables();
        let rows = |(schema, table): &(String, String)| {
            world.sql(&format!("SELECT t.*, xmin FROM {schema}.{table} t ORDER BY t::text"))
        };
        tables.iter().map(rows).collect::<Vec<_>>()
    };
    let before = state(&world);
    for model in ReadModel::ALL {
        let report = world.try_verify(VerifyConfig { models: vec![model], ..config() }).await;
        let report = report.unwrap();
        let is_touched = [ReadModel::Subscriptions, ReadModel::Usage].contains(&model);
        assert_eq!(report.equal, !is_touched, "{report:#?}");
        assert_eq!(report.read_models.len(), 1);
        assert_eq!(report.read_models[0].read_model, model);
        assert_eq!(state(&world), before, "{model:?}");
    }
}

#[tokio::test]
async fn tenants_are_verified_apart() {
    let world = World::busy(2, 1).await;
    let mut other = World { tenant: tenant("other"), ..world };
    other.open(&other.tenant).await;
    other.append(crate::given::busy(3, 2)).await;
    other.project(100).await;
    other.sql("UPDATE rm_grants.trainer SET registered_at = 'epoch' WHERE tenant = 'other'");
    assert!(!other.verify().await.equal);
    other.tenant = tenant("default");
    assert!(other.verify().await.equal);
}

#[tokio::test]
async fn what_was_not_made_from_this_log_is_refused() {
    let world = World::new().await;
    assert!(matches!(world.try_verify(config()).await, Err(VerifyError::NotBegun)));
    world.project(10).await;
    assert!(world.verify().await.equal);

    let refused = async |sql: &str| {
        world.sql(sql);
        let error = world.try_verify(config()).await.unwrap_err();
        assert!(!error.is_unavailable(), "{error}");
        assert_eq!(world.leftovers(), "");
        error
    };
    let seal = "UPDATE projection.checkpoint SET seal = 'x'";
    assert!(matches!(refused(seal).await, VerifyError::Diverged { position: 1 }));
    let ahead = "UPDATE projection.checkpoint SET position = 2";
    assert!(matches!(refused(ahead).await, VerifyError::Behind { position: 2, head: 1 }));
    let uneven = "UPDATE projection.checkpoint SET position = 1 WHERE read_model = 'rm_usage'";
    assert!(matches!(refused(uneven).await, VerifyError::Uneven(_)));
    let epoch = "UPDATE projection.checkpoint SET position = 1, epoch = 2";
    assert!(matches!(refused(epoch).await, VerifyError::OtherLog));
}
