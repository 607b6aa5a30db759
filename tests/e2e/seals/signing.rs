//! Keys and checkpoints.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Auditor, audit, some_log, text};
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::check::search;
use crate::harness::{Settings, TestApp, now, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_signed_again_while_it_continues_what_was_signed() {
    let (mut app, first) = some_log().await;
    let auditor = Auditor::new().await;
    auditor.sign(&app.database, "key", "one").await;
    app.start_service().await;
    let mut story = Story::new("t3", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let last = app.stripe().deliver_all(&story.take()).await;
    app.stop().await;
    let verified = auditor.verify(&app.database, Some("one")).await;
    let report = verified.expect_sound();
    assert_eq!((&report["proved_to"], &report["events"]), (&first.into(), &last.into()));

    let [key, one] = ["key.pem", "one"].map(|name| auditor.path(name));
    let since = ["checkpoint", "--key", text(&key), "--since", text(&one)];
    let signed = audit(&app.database, &since).await;
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    fs::write(auditor.path("two"), &signed.stdout).unwrap();
    assert_eq!(signed.stdout.lines().nth(1), Some(last.to_string().as_str()));
    let verified = auditor.verify(&app.database, Some("two")).await;
    assert_eq!(verified.expect_sound()["proved_to"], last);

    // Nothing is signed that doesn't continue it, or isn't sound.
    let altered = app.database.copy().await;
    altered.execute("UPDATE event SET data = data || ' ' WHERE position = 9");
    for args in [&since[..], &since[..3]] {
        let refused = audit(&altered, args).await;
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains("nothing was signed"), "{}", refused.stderr);
        assert!(refused.stderr.contains("position 9: "), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    let restored = app.database.copy().await;
    restored.execute("UPDATE log_head SET epoch = epoch + 1");
    let refused = audit(&restored, &since).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("was restored"), "{}", refused.stderr);
    let other = TestApp::start().await;
    let refused = audit(&other.database, &since).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("of another log"), "{}", refused.stderr);

    // Nor is one log's checkpoint taken for another's.
    auditor.export(&other.database, "export", &[]).await;
    for verified in [
        auditor.verify(&other.database, Some("one")).await,
        auditor.verify_export("export", "one").await,
    ] {
        assert_eq!(verified.code, Some(1), "{}", verified.stderr);
        assert!(verified.stderr.contains("is of the log default."), "{}", verified.stderr);
    }
    let checked = auditor.check("export", "one").await;
    assert_eq!(checked, (false, None, "another_log".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_key_that_was_published_counts() {
    let (app, _) = some_log().await;
    let auditor = Auditor::new().await;
    auditor.make_key("other").await;
    auditor.sign(&app.database, "other", "forged").await;
    auditor.sign(&app.database, "key", "good").await;
    auditor.export(&app.database, "export", &[]).await;
    let good = fs::read_to_string(auditor.path("good")).unwrap();
    let size = good.lines().nth(1).unwrap();
    fs::write(auditor.path("altered"), good.replacen(size, "5", 1)).unwrap();
    for name in ["forged", "altered"] {
        for verified in [
            auditor.verify(&app.database, Some(name)).await,
            auditor.verify_export("export", name).await,
        ] {
            assert_eq!(verified.code, Some(1), "{name}: {}", verified.stderr);
            assert!(verified.stderr.contains("isn't signed by this key"), "{}", verified.stderr);
        }
        let checked = auditor.check("export", name).await;
        assert_eq!(checked, (false, None, "checkpoint".to_owned()), "{name}");
    }
    auditor.verify_export("export", "good").await.expect_sound();
    assert!(auditor.check("export", "good").await.0);
    // A checkpoint says nothing without a key.
    let good = auditor.path("good");
    let unsure = audit(&app.database, &["verify", "--checkpoint", text(&good)]).await;
    assert_eq!(unsure.code, Some(2), "{}", unsure.stderr);
    let gone = Settings::none().with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    assert_eq!(run(&gone, &["audit", "verify"]).await.code, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_a_file_of_its_owner_and_nowhere_in_the_database() {
    let (app, _) = some_log().await;
    let auditor = Auditor::new().await;
    let path = auditor.path("key.pem");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&Settings::none(), &["audit", "key", text(&path)]).await;
    assert_eq!(again.code, Some(2), "a key is never written over");
    auditor.sign(&app.database, "key", "checkpoint").await;
    auditor.verify(&app.database, Some("checkpoint")).await.expect_sound();

    let pem = fs::read_to_string(&path).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(&body).unwrap();
    let seed = &bytes[bytes.len() - 32..];
    for needle in [hex::encode(seed), STANDARD.encode(seed), body] {
        let found = search(app.owner(), &needle).await;
        assert!(found.is_empty(), "{found:?}");
    }
    // The search finds what is there.
    let root = "SELECT encode(root, 'hex') FROM log_head";
    let root: String = sqlx::query_scalar(root).fetch_one(app.owner()).await.unwrap();
    assert!(!search(app.owner(), &root).await.is_empty());
}
