//! Exports: of the whole log, of a part of it, of a trainer; and for spreadsheets.

use std::fs;

use serde_json::Value;

use super::{Auditor, audit, some_log, text};
use crate::harness::{Database, Settings, run};

/// The lines of an export.
fn lines(auditor: &Auditor, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(auditor.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Exports with proofs by the auditor's checkpoint.
async fn export_proved(auditor: &Auditor, database: &Database, args: &[&str]) {
    let [checkpoint, key] = ["checkpoint", "key.pub"].map(|name| auditor.path(name));
    let by = ["--proofs", "--checkpoint", text(&checkpoint), "--public-key", text(&key)];
    auditor.export(database, "export", &[&by, args].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_log_verifies_by_itself() {
    let (app, last) = some_log().await;
    let auditor = Auditor::new().await;
    auditor.sign(&app.database, "key", "checkpoint").await;
    let to = (last - 2).to_string();
    for (args, holds) in [
        (&[][..], "whole"),
        (&["--from", "4", "--to", &to], "range"),
        (&["--trainer", "t1"], "trainer"),
        (&["--trainer", "t2", "--from", "2000-01-01T00:00:00Z"], "trainer"),
    ] {
        export_proved(&auditor, &app.database, args).await;
        let all = lines(&auditor, "export");
        let (header, events) = (&all[0], &all[1..]);
        assert_eq!((&header["holds"], &header["proofs"]), (&holds.into(), &true.into()));
        assert!(events.len() > 5, "{holds}: {}", events.len());
        auditor.verify_export("export", "checkpoint").await.expect_sound();
        let (sound, ..) = auditor.check("export", "checkpoint").await;
        assert!(sound, "{holds}");

        // A word in one line of the file.
        let (middle, path) = (all.len() / 2, auditor.path("export"));
        let position = all[middle]["position"].as_i64().unwrap();
        let mut altered = all.clone();
        let data = altered[middle]["data"].as_str().unwrap().replacen(':', ": ", 1);
        altered[middle]["data"] = data.into();
        let write = |lines: &[Value]| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(&path, text).unwrap();
        };
        write(&altered);
        let kind = if holds == "whole" { "event_altered" } else { "event_unproved" };
        auditor.verify_export("export", "checkpoint").await.expect_wrong(position, kind);
        let checked = auditor.check("export", "checkpoint").await;
        assert_eq!(checked, (false, Some(position), kind.to_owned()));

        // A line less, which only misses where every event is due.
        altered = all.clone();
        altered.remove(middle);
        write(&altered);
        let verified = auditor.verify_export("export", "checkpoint").await;
        let (_, first, _) = auditor.check("export", "checkpoint").await;
        assert_eq!(verified.first().0, first);
        assert_eq!(first, (holds != "trainer").then_some(position), "{holds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainers_export_holds_what_auditors_are_shown() {
    let (mut app, _) = some_log().await;
    app.start_service().await;
    let auditor = Auditor::new().await;
    let path = "/api/v1/audit/events?trainer=t1&limit=500";
    let shown = app.auditor().get(path).await.expect(200);
    let shown: Vec<_> =
        shown["events"].as_array().unwrap().iter().map(|it| it["position"].clone()).collect();
    auditor.export(&app.database, "export", &["--trainer", "t1"]).await;
    let all = lines(&auditor, "export");
    let exported: Vec<_> = all[1..].iter().map(|line| line["position"].clone()).collect();
    assert_eq!(exported, shown);
    // Without proofs it can't be verified, and that is said.
    auditor.sign(&app.database, "key", "checkpoint").await;
    let unsure = auditor.verify_export("export", "checkpoint").await;
    assert_eq!(unsure.code, Some(2), "{}", unsure.stderr);
    assert!(unsure.stderr.contains("--proofs"), "{}", unsure.stderr);
    auditor.export(&app.database, "export", &["--from", "2000-01-01T00:00:00Z"]).await;
    assert_eq!(lines(&auditor, "export")[0]["holds"], "whole");
    auditor.export(&app.database, "export", &["--to", "2000-01-01T00:00:00Z"]).await;
    assert_eq!(lines(&auditor, "export").len(), 1);
    // An export of nobody proves nothing, and doesn't look as if it did.
    export_proved(&auditor, &app.database, &["--trainer", "nobody"]).await;
    let [export, checkpoint, key] = ["export", "checkpoint", "key.pub"].map(|it| auditor.path(it));
    let mut args = vec!["audit", "verify", "--from-export", text(&export)];
    args.extend(["--checkpoint", text(&checkpoint), "--public-key", text(&key)]);
    let empty = run(&Settings::none(), &args).await;
    assert!(empty.stdout.contains("there is no event"), "{}{}", empty.stdout, empty.stderr);
    assert!(!empty.stdout.contains("sound"), "{}", empty.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_log_is_exported_as_it_is_and_proves_nothing_more() {
    let (app, _) = some_log().await;
    let auditor = Auditor::new().await;
    auditor.sign(&app.database, "key", "checkpoint").await;
    app.database.execute("UPDATE event SET data = data || ' ' WHERE position = 9");
    export_proved(&auditor, &app.database, &["--from", "7", "--to", "11"]).await;
    auditor.verify_export("export", "checkpoint").await.expect_wrong(9, "event_unproved");
    let checked = auditor.check("export", "checkpoint").await;
    assert_eq!(checked, (false, Some(9), "event_unproved".to_owned()));
    // Leaves that are altered, too, prove nothing.
    app.database.execute("UPDATE log_seal SET leaves = sha256('x') WHERE size = 9");
    let [checkpoint, key, out] = ["checkpoint", "key.pub", "none"].map(|name| auditor.path(name));
    let mut args = vec!["export", "--proofs", "--out", text(&out)];
    args.extend(["--checkpoint", text(&checkpoint), "--public-key", text(&key)]);
    let refused = audit(&app.database, &args).await;
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("isn't what the checkpoint has signed"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_carries_nothing_out() {
    let (app, last) = some_log().await;
    let auditor = Auditor::new().await;
    app.database.execute("UPDATE event SET data = '=1+1' WHERE position = 9");
    auditor.export(&app.database, "export.csv", &["--format", "csv"]).await;
    let text = fs::read_to_string(auditor.path("export.csv")).unwrap();
    assert!(text.starts_with("position,namespace,event_id,"), "{text}");
    assert_eq!(i64::try_from(text.matches("\r\n").count()).unwrap(), last + 1);
    assert!(text.contains(",\"'=1+1\","), "{text}");
    assert!(!text.contains(",\"="), "{text}");
    // It says what it is for.
    let help = run(&Settings::none(), &["audit", "export", "--help"]).await;
    assert!(help.stdout.contains("`csv` is for spreadsheets and can't"), "{}", help.stdout);
}
