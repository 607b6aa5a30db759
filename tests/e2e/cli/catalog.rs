//! `ledger catalog check`.

use std::fs;

use crate::harness::{Settings, TestApp, run};

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
