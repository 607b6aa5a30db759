//! `ledger catalog check` and `ledger catalog publish`.

use std::fs;

use serde_json::Value;

use super::dev;
use crate::harness::{Caller, Settings, TestApp, http, run};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/trainers.toml");

#[tokio::test(flavor = "multi_thread")]
async fn a_good_catalogue_is_fine() {
    for settings in [Settings::none(), Settings::of_service()] {
        let checked = run(&settings, &["catalog", "check", SHIPPED]).await;
        assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
    }
}

/// A price that nobody set is one that somebody may be paying.
#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_not_set_is_told_with_its_consequences() {
    let settings = Settings::of_service().without("STRIPE_PRICE_TIER_STARTER");
    let checked = run(&settings, &["catalog", "check", SHIPPED]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let app = TestApp::start_with(settings).await;
    let output = app.output().text();
    let started = output.lines().find(|line| line.contains("STRIPE_PRICE_TIER_STARTER"));
    for told in [checked.stderr.as_str(), started.unwrap_or(&output)] {
        for part in ["STRIPE_PRICE_TIER_STARTER", "starter", "month", "already has no access"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!told.contains("STRIPE_PRICE_TIER_PROFESSIONAL,"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(SHIPPED).unwrap();
    let line_of = |text: &str, part: &str| {
        1 + text.lines().position(|line| line.contains(part)).expect("it's there")
    };
    let mistakes = [
        good.replacen("kind = \"limit\"", "kind = \"limitless\"", 1),
        good.replacen("analytics = true", "teleportation = true", 1),
        good.replacen("when_inactive = \"lock\"", "when_inactive = \"look\"", 1),
    ];
    let found = ["limitless", "teleportation", "\"look\""];
    for (text, part) in mistakes.iter().zip(found) {
        let file = folder.path().join("broken.toml");
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let checked = run(&Settings::none(), &["catalog", "check", file]).await;
        assert_eq!(checked.code, Some(1), "{part}: {}{}", checked.stdout, checked.stderr);
        let told = checked.stdout + &checked.stderr;
        let line = line_of(text, part).to_string();
        assert!(told.contains(&line), "line {line} of {part} in: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_isnt_toml_or_isnt_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.toml");
    fs::write(&file, "name = \"unfinished").unwrap();
    let broken = run(&Settings::none(), &["catalog", "check", file.to_str().unwrap()]).await;
    assert_eq!(broken.code, Some(1), "{}", broken.stderr);

    let absent = folder.path().join("absent.toml");
    let absent = run(&Settings::none(), &["catalog", "check", absent.to_str().unwrap()]).await;
    assert_eq!(absent.code, Some(2), "{}", absent.stderr);
    assert!(absent.stderr.contains("absent.toml"), "{}", absent.stderr);
}

/// What an operator publishes stays, whatever the settings of whichever node starts next.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_never_takes_back_what_was_published() {
    let mut app = TestApp::start().await;
    assert_eq!(tiers(&app.anyone()).await, ["starter", "professional", "enterprise"]);
    let organisation = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/organisation.toml");
    let settings = Settings::of_service().with("DATABASE_URL", app.database.url());
    let published = run(&settings, &["catalog", "publish", organisation]).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    app.stop().await;
    app.start_service().await;
    assert_eq!(tiers(&app.anyone()).await, ["free", "starter", "pro", "business"]);
    let told = line_with(&app.output().text(), "stays in force");
    assert!(told.contains(&format!("`ledger catalog publish {SHIPPED}`")), "{told}");

    let shipped = run(&settings, &["catalog", "publish"]).await;
    assert_eq!(shipped.code, Some(0), "{}", shipped.stderr);
    app.stop().await;
    app.start_service().await;
    assert_eq!(tiers(&app.anyone()).await, ["starter", "professional", "enterprise"]);
    let output = app.output().text();
    assert!(!output.contains("stays in force"), "nothing differs: {output}");

    // A node that lacks a price takes it from nobody.
    let unpriced = settings.without("STRIPE_PRICE_TIER_STARTER");
    let other = TestApp::start_on(app.database.clone(), unpriced).await;
    let told = line_with(&other.output().text(), "stays in force");
    assert!(told.contains("the prices of starter"), "{told}");
    let count = "SELECT count(*) FROM event WHERE type = 'CatalogPublished'";
    assert_eq!(app.database.number(count).await, 3);
}

/// There the settings are edited, and nobody else depends on them.
#[tokio::test(flavor = "multi_thread")]
async fn dev_follows_its_settings_until_somebody_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("catalog.toml"));
    let settings = Settings::none().with("LEDGER_CATALOG", file.to_str().unwrap());
    let text = fs::read_to_string(SHIPPED).unwrap();
    fs::write(&file, &text).unwrap();
    let names = async || {
        let service = dev::start_with(&settings, &data, &[]).await;
        let anyone = Caller::new(http(), service.url(), None);
        let names = names(&anyone, "name").await;
        service.stop().await;
        names
    };
    assert_eq!(names().await[0], "Starter");
    fs::write(&file, text.replacen("\"Starter\"", "\"Beginner\"", 1)).unwrap();
    assert_eq!(names().await[0], "Beginner");

    let service = dev::start_with(&settings, &data, &[]).await;
    let organisation = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/organisation.toml");
    let args = ["--data-dir", data.to_str().unwrap(), "catalog", "publish", organisation];
    let published = run(&Settings::none(), &args).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    service.stop().await;
    assert_eq!(names().await[0], "Free");
}

async fn tiers(anyone: &Caller) -> Vec<String> {
    names(anyone, "slug").await
}

async fn names(anyone: &Caller, key: &str) -> Vec<String> {
    let answer: Value = anyone.get("/api/v1/tiers").await.expect(200);
    let tiers = answer["tiers"].as_array().expect("tiers");
    tiers.iter().map(|tier| tier[key].as_str().expect("a text").to_owned()).collect()
}

fn line_with(output: &str, part: &str) -> String {
    let line = output.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("no {part} in: {output}")).to_owned()
}
