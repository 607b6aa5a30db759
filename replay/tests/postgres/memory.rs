//! How much memory a verification takes.

use std::process::Command;

use ledger_projections::{Config, Runner};
use ledger_replay::VerifyConfig;

use crate::given;
use crate::world::{World, config};

/// Set in the process that measures: it runs this test and no other.
const ALONE: &str = "LEDGER_TEST_ALONE";

const CUSTOMERS: usize = 1_500;

#[tokio::test]
async fn folded_units_stay_within_the_cache() {
    if std::env::var_os(ALONE).is_none() {
        let mut measure = Command::new(std::env::current_exe().unwrap());
        let name = "memory::folded_units_stay_within_the_cache";
        measure.args(["--exact", name]).env(ALONE, "1");
        let measured = tokio::task::spawn_blocking(move || measure.output()).await.unwrap();
        let measured = measured.unwrap();
        assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stdout));
        return;
    }
    let Some(_) = peak_kib() else { return };
    let world = World::new().await;
    world.append((0..CUSTOMERS).flat_map(given::customer).collect()).await;
    let live = Config { cache_bytes: 0, page_events_max: 256, ..Config::live("test") };
    world.catch_up(Runner::new(world.pools.projector.clone(), world.log.clone(), live)).await;

    let mut grown = Vec::new();
    for cache_bytes in [1 << 20, 1 << 30] {
        forget_peak();
        let before = peak_kib().unwrap();
        let config = VerifyConfig { cache_bytes, page_events_max: 256, ..config() };
        assert!(world.try_verify(config).await.unwrap().equal);
        grown.push(peak_kib().unwrap() - before);
    }
    let [bounded, unbounded] = grown[..] else { unreachable!("two were measured") };
    assert!(bounded < 16 << 10, "with a cache of a MiB it took {bounded} KiB");
    assert!(unbounded > 2 * bounded, "the bound is what keeps it small: {unbounded} {bounded}");
}

/// The most memory that this process had at once; none where the system doesn't tell.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// From now on the peak is that of what follows; see proc(5).
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}
