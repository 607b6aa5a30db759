//! Databases and their URLs.

use std::process::Command;
use std::thread;

use ledger_cluster::{Cluster, Error};

#[test]
fn a_copy_has_what_its_template_has() {
    let cluster = Cluster::shared();
    let template = cluster.fresh_database().unwrap();
    cluster.execute(&template, "CREATE TABLE t AS SELECT 7 AS n").unwrap();
    let copy = cluster.fresh_database_from(&template).unwrap();
    assert_ne!(copy, template);
    assert_eq!(cluster.execute(&copy, "SELECT n FROM t").unwrap(), "7");
}

#[test]
fn fresh_databases_can_be_made_side_by_side() {
    let cluster = Cluster::shared();
    let makers: Vec<_> =
        (0..8).map(|_| thread::spawn(|| cluster.fresh_database().unwrap())).collect();
    let mut names: Vec<String> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8);
}

#[test]
fn creating_a_database_twice_tells_the_state() {
    let cluster = Cluster::shared();
    cluster.create_database("twice").unwrap();
    let error = cluster.create_database("twice").unwrap_err();
    let Error::Sql { sqlstate, .. } = &error else { panic!("{error}") };
    assert_eq!(sqlstate.as_deref(), Some("42P04"));
    cluster.drop_database("twice").unwrap();
    cluster.create_database("twice").unwrap();
}

#[test]
fn names_of_any_kind_work_in_urls() {
    let cluster = Cluster::shared();
    let name = r#"ä "b"/c?d&e%20"#;
    cluster.create_database(name).unwrap();
    cluster.execute("postgres", r#"CREATE ROLE "o'neil&co" LOGIN"#).unwrap();
    let answer = Command::new("psql")
        .args(["-XAtd", &cluster.url(name, "o'neil&co")])
        .args(["-c", "SELECT current_database() || ' ' || current_user"])
        .output()
        .unwrap();
    let text = String::from_utf8(answer.stdout).unwrap();
    assert_eq!(text.trim(), format!("{name} o'neil&co"));
}

#[test]
fn the_environment_does_not_redirect_a_url() {
    let cluster = Cluster::shared();
    let answer = Command::new("psql")
        .args(["-XAtd", &cluster.url("postgres", cluster.superuser()), "-c", "SELECT 1"])
        .envs([("PGPORT", "1"), ("PGHOST", "nowhere"), ("PGUSER", "nobody")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap().trim(), "1");
}

#[test]
fn a_file_is_one_transaction_unless_it_says_otherwise() {
    let cluster = Cluster::shared();
    let database = cluster.fresh_database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.sql");

    std::fs::write(&file, "CREATE TABLE t (n int);\nSELECT 1/0;").unwrap();
    assert!(cluster.execute_file(&database, &file).is_err());
    std::fs::write(&file, "CREATE TABLE t (n int);\nINSERT INTO t VALUES (1);").unwrap();
    cluster.execute_file(&database, &file).unwrap();

    std::fs::write(&file, "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (n);").unwrap();
    cluster.execute_file(&database, &file).unwrap();
    assert_eq!(cluster.execute(&database, "SELECT n FROM t").unwrap(), "1");
}
