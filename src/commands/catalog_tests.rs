use super::*;

use std::sync::Arc;

use ledger_domain::time::Timestamp;
use ledger_log::MemoryLog;

use crate::commands::tenant;
use crate::config::Environment;

fn tenant_with(catalog: &str) -> TenantConfig {
    let environment = Environment::default().with("LEDGER_CATALOG", catalog);
    TenantConfig::read(Tenant::try_new("default").unwrap(), &environment).unwrap()
}

#[tokio::test]
async fn only_another_catalogue_is_published() {
    let clock = Clock::at(Timestamp::from_unix(1_790_000_000));
    let log_clock = clock.clone();
    let log = MemoryLog::new(Arc::new(move || log_clock.now()));
    let trainers = tenant_with("catalogs/trainers.toml");
    tenant::open(&log, &clock, &trainers).await.unwrap();
    let publish = async |config: &TenantConfig| {
        let file = CatalogFile::of(config).unwrap();
        publish(&log, &clock, &config.tenant, &file, Publisher::Operator).await.unwrap()
    };
    assert_eq!(publish(&trainers).await, Publication::Published(2));
    assert_eq!(publish(&trainers).await, Publication::Unchanged(2));
    let other = tenant_with("catalogs/membership.toml");
    assert_eq!(publish(&other).await, Publication::Published(3));
    assert_eq!(publish(&trainers).await, Publication::Published(4));
    let mut priced = trainers.clone();
    priced.prices.insert("STRIPE_PRICE_TIER_STARTER".into(), "price_1".into());
    assert_eq!(publish(&priced).await, Publication::Published(5));
}

#[tokio::test]
async fn a_start_replaces_no_catalogue_but_its_own_on_its_own_database() {
    let clock = Clock::at(Timestamp::from_unix(1_790_000_000));
    let log_clock = clock.clone();
    let log = MemoryLog::new(Arc::new(move || log_clock.now()));
    let trainers = tenant_with("catalogs/trainers.toml");
    tenant::open(&log, &clock, &trainers).await.unwrap();
    let publish = async |config: &TenantConfig, publisher: Publisher| {
        let file = CatalogFile::of(config).unwrap();
        publish(&log, &clock, &config.tenant, &file, publisher).await.unwrap()
    };
    let kept = |position, difference: &str| {
        let difference = difference.to_owned();
        Publication::Kept { position, difference }
    };
    assert_eq!(publish(&trainers, Publisher::Start).await, Publication::Published(2));
    let other = tenant_with("catalogs/membership.toml");
    assert_eq!(publish(&other, Publisher::Start).await, kept(2, "its text"));
    let mut priced = trainers.clone();
    priced.prices.insert("STRIPE_PRICE_TIER_STARTER".into(), "price_1".into());
    assert_eq!(publish(&priced, Publisher::Start).await, kept(2, "the prices of starter"));
    assert_eq!(publish(&trainers, Publisher::Start).await, Publication::Unchanged(2));
    assert_eq!(publish(&priced, Publisher::OwnStart).await, Publication::Published(3));
    assert_eq!(publish(&other, Publisher::Operator).await, Publication::Published(4));
    assert_eq!(publish(&priced, Publisher::OwnStart).await, kept(4, "its text"));
    assert_eq!(publish(&other, Publisher::OwnStart).await, Publication::Unchanged(4));
}

#[test]
fn mistakes_are_told_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalog.toml");
    std::fs::write(&path, "name = \"x\"\naudience = \"y\"\nnonsense = 1\n").unwrap();
    let error = CatalogFile::read(&path, &|_| None).unwrap_err();
    assert!(error.to_string().contains("line 3"), "{error}");
    let absent = CatalogFile::read(&dir.path().join("absent"), &|_| None).unwrap_err();
    assert!(matches!(absent, PublishError::File { .. }));
}

#[test]
fn the_default_catalogue_is_built_in() {
    Catalog::parse(BUILT_IN, &|_| None).expect("a catalogue without mistakes");
}
