//! A cluster that stays in a folder. Only the first test pays for `fsync`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ledger_cluster::{Cluster, Error};
use tempfile::TempDir;

/// A folder that every account can pass through, as an ordinary home folder.
fn open_folder() -> TempDir {
    let open = fs::Permissions::from_mode(0o711);
    tempfile::Builder::new().permissions(open).tempdir().expect("a temporary folder can be made")
}

#[test]
fn the_data_is_there_the_next_time() {
    let home = open_folder();
    let dir = home.path().join("pg");
    let first = Cluster::builder().data_dir(&dir).start().unwrap();
    first.create_database("kept").unwrap();
    let url = first.url("kept", "postgres");
    assert_eq!(first.execute("kept", "SHOW fsync").unwrap(), "on");
    drop(first);
    let second = Cluster::builder().data_dir(&dir).start().unwrap();
    assert_eq!(second.execute("kept", "SELECT 1").unwrap(), "1");
    assert_eq!(second.url("kept", "postgres"), url, "a short folder holds the socket too");
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let home = tempfile::tempdir().unwrap();
    let first = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap();
    let error = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert_eq!(first.execute("postgres", "SELECT 1").unwrap(), "1", "the first isn't disturbed");
}

#[test]
fn an_interrupted_creation_is_done_again() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("data.new/base")).unwrap();
    fs::write(home.path().join("data.new/PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap();
    assert_eq!(cluster.execute("postgres", "SELECT 1").unwrap(), "1");
    assert!(!home.path().join("data.new").exists());
}

#[test]
fn data_of_a_version_that_is_not_installed_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap();
    let version = cluster.data_dir().join("PG_VERSION");
    drop(cluster);
    fs::write(&version, "11\n").unwrap();
    let error = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap_err();
    assert!(matches!(error, Error::VersionNotInstalled { major: 11, .. }), "{error}");
    assert_eq!(fs::read_to_string(version).unwrap(), "11\n");
}

#[test]
fn a_killed_server_recovers_the_next_time() {
    let home = tempfile::tempdir().unwrap();
    let first = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap();
    first.execute("postgres", "CREATE TABLE t AS SELECT 7 AS n").unwrap();
    first.kill_postmaster().unwrap();
    assert!(first.data_dir().join("postmaster.pid").exists(), "as after a crash");
    drop(first);
    let second = Cluster::builder().data_dir(home.path()).fsync(false).start().unwrap();
    assert_eq!(second.execute("postgres", "SELECT n FROM t").unwrap(), "7");
}

#[test]
fn a_folder_too_deep_for_a_socket_still_works() {
    let home = open_folder();
    let dir = home.path().join("deep".repeat(30));
    let cluster = Cluster::builder().data_dir(&dir).fsync(false).start().unwrap();
    assert_eq!(cluster.execute("postgres", "SELECT 1").unwrap(), "1");
    let socket_dir = cluster.socket_dir().to_path_buf();
    assert!(!socket_dir.starts_with(&dir));
    drop(cluster);
    assert!(!socket_dir.exists());
    assert!(dir.join("data/PG_VERSION").exists());
}

/// As after a checkout below `/root`: root enters, the server's account doesn't. As an ordinary
/// user the folder is simply ours.
#[test]
fn a_folder_closed_to_the_server_account_still_works() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let dir = home.path().join("pg");
    let cluster = Cluster::builder().data_dir(&dir).fsync(false).start().unwrap();
    cluster.create_database("kept").unwrap();
    let data = cluster.data_dir().to_path_buf();
    drop(cluster);
    let cluster = Cluster::builder().data_dir(&dir).fsync(false).start().unwrap();
    assert_eq!(cluster.execute("kept", "SELECT 1").unwrap(), "1");
    assert_eq!(cluster.data_dir(), data);
    drop(cluster);
    if !data.starts_with(&dir) {
        assert_eq!(fs::read_link(dir.join("data")).unwrap(), data);
        fs::remove_dir_all(data.parent().unwrap()).unwrap();
    }
}

#[test]
fn nobody_else_can_enter() {
    let home = open_folder();
    let dir = home.path().join("pg");
    let cluster = Cluster::builder().data_dir(&dir).fsync(false).start().unwrap();
    for folder in [dir.as_path(), cluster.socket_dir(), cluster.data_dir()] {
        let mode = fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{}", folder.display());
    }
}
