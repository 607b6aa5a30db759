//! The counters of usage that aren't as the events say are named.

use ledger_domain::id::{FeatureSlug, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{NewEvent, UsageChange, UsageEntry};
use ledger_projections::ReadModel;
use ledger_replay::VerifyConfig;
use ledger_replay::verify::{CountersReport, Difference, Report};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::differences::{columns, other};
use crate::given;
use crate::world::{PATIENCE, World, config};

/// When all of it happens, in microseconds: not a whole second, and not a whole millisecond.
const AT: i64 = 1_774_915_200_500_010;

/// What an event of usage says, and what it does to the counters, each in words of its own.
fn usage(
    trainer: &str,
    revision: i64,
    event_type: &str,
    said: &Value,
    change: UsageChange,
) -> NewEvent {
    let (id, stream) = (format!("{trainer}-{revision}"), format!("usage-{trainer}-customers"));
    let mut data = json!({"trainer": trainer, "feature": "customers"});
    data.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let event = given::act(&id, &stream, revision, event_type, &data);
    // A hold that ends unused is ended when that is said.
    let occurred_at = data["occurred_at"].as_str();
    let occurred_at = occurred_at.map_or(event.occurred_at, |at| at.parse().unwrap());
    let entry = UsageEntry {
        trainer: TrainerId::try_new(trainer).unwrap(),
        feature: FeatureSlug::try_new("customers").unwrap(),
        occurred_at,
        change,
    };
    NewEvent { usage: Some(entry), ..event }
}

/// All that can happen to usage: three holds, and six rows of others.
fn all_kinds(trainer: &str) -> Vec<NewEvent> {
    let at = Timestamp::from_micros(AT);
    let until = at.plus(300_000_000);
    let judgement = json!({"catalog_position": 2, "mode": "on"});
    let id = |n: u8| Uuid::from_u128((u128::from(trainer.as_bytes()[1]) << 8) | u128::from(n));
    let counted = |quantity: i64| json!({"occurred_at": at, "quantity": quantity});
    let judged =
        |quantity: i64| json!({"occurred_at": at, "quantity": quantity, "judgement": judgement});
    let reserve = |revision: i64, n: u8, quantity: i64| {
        let mut said = judged(quantity);
        said["hold"] = json!(id(n));
        said["expires_at"] = json!(until);
        let change = UsageChange::Hold { id: id(n), quantity, until };
        usage(trainer, revision, "UsageReserved", &said, change)
    };
    let committed = json!({"hold": id(1), "occurred_at": at, "quantity": 3});
    let ended = json!({"hold": id(2)});
    let settle = |n: u8, quantity: i64| UsageChange::Settle { id: id(n), quantity };
    vec![
        usage(trainer, 0, "UsageRecorded", &counted(5), UsageChange::Count(5)),
        usage(trainer, 1, "UsageConsumed", &judged(7), UsageChange::Count(7)),
        reserve(2, 1, 4),
        usage(trainer, 3, "ReservationCommitted", &committed, settle(1, 3)),
        reserve(4, 2, 2),
        usage(trainer, 5, "ReservationReleased", &ended, settle(2, 0)),
        usage(trainer, 6, "UsageReleased", &counted(2), UsageChange::Count(-2)),
        reserve(7, 3, 1),
        usage(trainer, 8, "UsageConsumed", &judged(1), UsageChange::Count(1)),
    ]
}

/// A ledger in which all kinds of usage happened, and other things.
async fn world() -> World {
    let world = World::new().await;
    world.append(given::busy(2, 1)).await;
    for trainer in ["u1", "u2"] {
        world.append(all_kinds(trainer)).await;
    }
    world.project(50).await;
    world
}

fn counters(report: &Report) -> &CountersReport {
    report.counters.as_ref().unwrap()
}

/// What is said of the row at a position.
fn at<'a>(report: &'a Report, position: &str) -> Vec<&'a Difference> {
    let position: i64 = position.parse().unwrap();
    let differences = counters(report).table.differences.iter();
    differences.filter(|found| found.key["position"] == position).collect()
}

/// The event at a position, as reports name it.
fn event_at(world: &World, position: &str) -> Vec<String> {
    let ids = world.sql(&format!(
        "SELECT CASE namespace WHEN 'stripe' THEN '' ELSE namespace || '/' END || event_id
         FROM event WHERE tenant = 'default' AND position = {position}"
    ));
    ids.lines().map(str::to_owned).collect()
}

/// The position of a row that a condition holds for.
fn a_row(world: &World, condition: &str) -> String {
    let row = world.sql(&format!(
        "SELECT position FROM usage_entry WHERE tenant = 'default' AND {condition}
         ORDER BY held IS NOT NULL, position LIMIT 1"
    ));
    assert!(!row.is_empty(), "no row with {condition}");
    row
}

#[tokio::test]
async fn what_each_kind_of_event_says_is_what_its_row_holds() {
    let world = world().await;
    let rows: i64 = world.sql("SELECT count(*) FROM usage_entry").parse().unwrap();
    let mut digests = Vec::new();
    for page_events_max in [1, 4_096] {
        let config = VerifyConfig { page_events_max, ..config() };
        let report = world.try_verify(config).await.unwrap();
        let CountersReport { position, table, unread } = counters(&report);
        assert!(report.equal && table.is_equal(), "{report:#?}");
        assert_eq!((*position, *unread), (report.position, 0));
        assert_eq!(table.live.as_ref().unwrap().rows, rows);
        digests.push(table.live.clone());
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn a_column_changed_by_hand_is_named_with_both_values_position_and_event() {
    let world = world().await;
    let mut changed: Vec<(String, String)> = Vec::new();
    for (column, type_name, _) in columns(&world, "public", "usage_entry") {
        let taken: Vec<_> = changed.iter().map(|(_, row)| row.as_str()).collect();
        let free = format!("NOT position = ANY('{{{}}}')", taken.join(","));
        let row = a_row(&world, &format!("{column} IS NOT NULL AND {free}"));
        let value = other(&column, &type_name);
        world.sql(&format!(
            "UPDATE usage_entry SET {column} = {value}
             WHERE tenant = 'default' AND position = {row}"
        ));
        changed.push((column.trim_matches('"').to_owned(), row));
    }
    assert_eq!(changed.len(), 9, "{changed:?}");
    let report = world.verify().await;
    assert!(!report.equal);
    for (column, row) in &changed {
        let [found] = at(&report, row)[..] else { panic!("{column}: {report:#?}") };
        assert_eq!(found.event_ids, event_at(&world, row), "{column}");
        let is_elsewhere = ["position", "tenant"].contains(&column.as_str());
        if is_elsewhere {
            assert!(found.live.is_none() && found.rebuilt.is_some(), "{column}: {found:?}");
            continue;
        }
        assert_eq!(found.columns, [column.as_str()]);
        let (live, due) = (found.live.as_ref().unwrap(), found.rebuilt.as_ref().unwrap());
        assert_ne!(live[column], due[column]);
    }
    // The row of another position, too, and nothing else.
    assert_eq!(counters(&report).table.differing_rows(), 10, "{report:#?}");
    assert_eq!(world.leftovers(), "");
}

#[tokio::test]
async fn a_row_deleted_by_hand_is_named() {
    let world = world().await;
    let rows = [a_row(&world, "held IS NOT NULL"), a_row(&world, "quantity < 0")];
    for row in &rows {
        world.sql(&format!("DELETE FROM usage_entry WHERE position = {row}"));
    }
    let report = world.verify().await;
    assert!(!report.equal);
    for row in &rows {
        let [found] = at(&report, row)[..] else { panic!("{report:#?}") };
        assert!(found.live.is_none() && found.columns.is_empty(), "{found:?}");
        assert_eq!(found.rebuilt.as_ref().unwrap()["position"].to_string(), *row);
        assert_eq!(found.event_ids, event_at(&world, row));
    }
    assert_eq!(counters(&report).table.differing_rows(), 2);
    let read_models = report.read_models.iter().flat_map(|model| &model.tables);
    assert!(read_models.into_iter().all(|table| table.is_equal()), "it is the counters alone");
}

#[tokio::test]
async fn a_row_added_by_hand_is_named_wherever_it_stands() {
    let world = world().await;
    let its_own = a_row(&world, "trainer = 'u1'");
    let added = [
        ("u1", "-3"),
        ("u1", "0"),
        ("u1", "1"),
        ("a-before-u1", its_own.as_str()),
        ("u9-after-u1", its_own.as_str()),
        ("u1", "1000000"),
    ];
    for (trainer, position) in added {
        world.sql(&format!(
            "INSERT INTO usage_entry (tenant, trainer, feature, occurred_at, position, quantity)
             VALUES ('default', '{trainer}', 'customers', 'infinity', {position}, 1)"
        ));
    }
    let report = world.verify().await;
    let differences = &counters(&report).table.differences;
    let found = differences.iter().map(|found| {
        assert_eq!(found.rebuilt, None);
        let live = found.live.as_ref().unwrap();
        assert_eq!(live["occurred_at"], "infinity", "as the database spells it");
        (live["trainer"].as_str().unwrap(), found.key["position"].to_string())
    });
    let added = added.map(|(trainer, position)| (trainer, position.to_owned()));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(_, position)| position.parse::<i64>().unwrap());
    assert_eq!(found[..3], added[..3]);
    assert_eq!(found.last(), added.last());
    found.sort();
    let mut sorted = added.to_vec();
    sorted.sort();
    assert_eq!(found, sorted);
    let named = |position: &str| at(&report, position)[0].event_ids.clone();
    assert_eq!(named("1"), ["api/opened"], "an event that isn't usage");
    assert_eq!(named(&its_own), event_at(&world, &its_own));
    assert!(["-3", "0", "1000000"].iter().all(|position| named(position).is_empty()));
}

#[tokio::test]
async fn the_list_of_counters_is_bounded_and_the_rest_is_counted() {
    let world = world().await;
    world.sql("UPDATE usage_entry SET held_until = 'infinity' WHERE held_until IS NOT NULL");
    let config = VerifyConfig { differences_max: 4, ..config() };
    let report = world.try_verify(config).await.unwrap();
    let table = &counters(&report).table;
    assert_eq!((table.differences.len(), table.more), (4, 2));
    assert_eq!(table.differences[0].columns, ["held_until"]);
}

#[tokio::test]
async fn counters_are_looked_at_with_the_read_model_of_usage() {
    let world = world().await;
    world.sql("DELETE FROM usage_entry");
    for model in ReadModel::ALL {
        let report = world.try_verify(VerifyConfig { models: vec![model], ..config() }).await;
        let report = report.unwrap();
        let is_usage = model == ReadModel::Usage;
        assert_eq!((report.equal, report.counters.is_some()), (!is_usage, is_usage), "{model:?}");
    }
}

#[tokio::test]
async fn a_row_whose_event_cannot_be_read_is_counted_and_not_judged() {
    let world = world().await;
    let count = UsageChange::Count(1);
    world.append(vec![usage("u3", 0, "UsageForetold", &json!({}), count)]).await;
    world.project(50).await;
    world.sql("UPDATE usage_entry SET quantity = 2 WHERE trainer = 'u3'");
    let report = world.verify().await;
    assert!(report.equal, "{report:#?}");
    assert_eq!(counters(&report).unread, 1);
    let [parked, ..] = &report.parked[..] else { panic!("nothing is parked") };
    assert!(parked.reason.contains("UsageForetold"), "{parked:?}");
}

/// The read models stay where they are, and so all that differs from a log that stands still is
/// what is written meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_is_written_meanwhile_is_no_difference() {
    let world = world().await;
    let stop = CancellationToken::new();
    let write = async {
        let mut written = 0;
        while !stop.is_cancelled() {
            let event = given::used("busy", written, AT / 1_000_000, 1);
            world.append(vec![event]).await;
            written += 1;
        }
        written
    };
    let verify = async {
        let mut reports = Vec::new();
        for page_events_max in [7, 100, 1_000] {
            let config = VerifyConfig { page_events_max, ..config() };
            reports.push(world.try_verify(config).await.unwrap());
        }
        stop.cancel();
        reports
    };
    let both = async { tokio::join!(write, verify) };
    let (written, reports) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    let mut last = reports[0].position;
    for report in &reports {
        assert!(report.equal, "{report:#?}");
        let position = counters(report).position;
        assert!(position > last, "usage was written meanwhile");
        last = position;
    }
    assert!(last <= reports[0].position + written);
}
