//! Starting, stopping, crashing and starting again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ledger_cluster::{Cluster, Error};

fn rows(cluster: &Cluster, database: &str) -> String {
    cluster.execute(database, "SELECT count(*) FROM t").expect("the table is there")
}

#[test]
fn a_temporary_cluster_leaves_nothing_behind() {
    let cluster = Cluster::builder().start().unwrap();
    let folder = cluster.data_dir().parent().unwrap().to_path_buf();
    let pid = cluster.pid().unwrap();
    assert!(cluster.data_dir().join("PG_VERSION").exists());
    drop(cluster);
    assert!(!folder.exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn committed_rows_survive_a_killed_postmaster() {
    let cluster = Cluster::builder().start().unwrap();
    let database = cluster.fresh_database().unwrap();
    cluster.execute(&database, "CREATE TABLE t (n int)").unwrap();
    for round in 1..=3 {
        cluster.execute(&database, "INSERT INTO t VALUES (1)").unwrap();
        let before = cluster.pid();
        cluster.kill_postmaster().unwrap();
        assert_eq!(cluster.pid(), None);
        assert!(cluster.execute(&database, "SELECT 1").is_err());
        cluster.start().unwrap();
        assert_ne!(cluster.pid(), before);
        assert_eq!(rows(&cluster, &database), round.to_string());
    }
}

#[test]
fn a_killed_cluster_can_start_although_sessions_were_open() {
    let cluster = Cluster::builder().start().unwrap();
    let url = cluster.url("postgres", cluster.superuser());
    let mut sleeper = std::process::Command::new("psql")
        .args(["-X", "-d", &url, "-c", "SELECT pg_sleep(300)"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' \
                    AND pid <> pg_backend_pid()";
    while cluster.execute("postgres", sleeping).unwrap() != "1" {}
    cluster.kill_postmaster().unwrap();
    cluster.start().unwrap();
    assert_eq!(cluster.execute("postgres", sleeping).unwrap(), "0");
    assert!(!sleeper.wait().unwrap().success());
}

#[test]
fn stop_start_and_restart_can_be_repeated() {
    let cluster = Cluster::builder().start().unwrap();
    let first = cluster.pid();
    cluster.start().unwrap();
    assert_eq!(cluster.pid(), first, "starting a running server does nothing");
    cluster.stop().unwrap();
    cluster.stop().unwrap();
    cluster.start().unwrap();
    cluster.restart().unwrap();
    assert_eq!(cluster.execute("postgres", "SELECT 1").unwrap(), "1");
}

#[test]
fn a_server_that_was_ended_by_others_can_be_started_again() {
    let cluster = Cluster::builder().start().unwrap();
    let pid = cluster.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    while cluster.execute("postgres", "SELECT 1").is_ok() {}
    while cluster.pid() == Some(pid.parse().unwrap()) {
        cluster.start().unwrap();
    }
    assert_eq!(cluster.execute("postgres", "SELECT 1").unwrap(), "1");
}

#[test]
fn settings_reach_the_server_and_the_essential_ones_stay() {
    let cluster = Cluster::builder()
        .setting("work_mem", "7MB")
        .setting("listen_addresses", "*")
        .start()
        .unwrap();
    let show = |name: &str| cluster.execute("postgres", &format!("SHOW {name}")).unwrap();
    assert_eq!(show("work_mem"), "7MB");
    assert_eq!(show("listen_addresses"), "");
    assert_eq!(show("fsync"), "off");
    assert_eq!(show("full_page_writes"), "off");
    assert_eq!(show("synchronous_commit"), "on");
    assert_eq!(show("max_connections"), "300");
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let error = Cluster::builder().setting("max_connections", "none").start().unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(error.to_string().contains("max_connections"), "{error}");
}

#[test]
fn waiting_for_the_start_has_a_limit() {
    let error = Cluster::builder().start_timeout(Duration::ZERO).start();
    // A server may be ready at the first question; if not, it isn't asked again.
    if let Err(error) = error {
        assert!(matches!(error, Error::NotReady { .. }), "{error}");
    }
}

#[test]
fn a_missing_server_names_the_remedy() {
    let empty = tempfile::tempdir().unwrap();
    let error = Cluster::builder().bin_dir(empty.path()).start().unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql"), "{error}");
}

#[test]
fn the_shared_cluster_is_one() {
    assert_eq!(Cluster::shared().pid(), Cluster::shared().pid());
    let folder = Cluster::shared().data_dir().parent().unwrap();
    assert!(fs::metadata(folder).unwrap().is_dir());
}
