//! Whatever is killed, and whenever: what was acknowledged is there once, what was not is there
//! once or not at all.

mod chance;
mod kills;
mod load;
mod lost_answers;
mod nodes;
pub(crate) mod proxy;

use std::collections::BTreeMap;

use sqlx::{Row, query};

use crate::check::verify_log;
use crate::harness::TestApp;

/// How many violations a failed test shows: one mistake can break every event.
const SHOWN_MAX: usize = 5;

/// Counts the kills that met requests under way. By chance all of them may be answered at the very
/// instant of a kill, which then counts for nothing.
struct Kills {
    met: usize,
    all: usize,
    wanted: usize,
}

impl Kills {
    const fn wanted(wanted: usize) -> Self {
        Self { met: 0, all: 0, wanted }
    }

    const fn are_enough(&self) -> bool {
        self.met == self.wanted
    }

    /// One more, and how many requests it met.
    fn add(&mut self, met: usize) {
        self.all += 1;
        self.met += usize::from(met > 0);
        // Of quick requests, fewer than half may meet it.
        assert!(self.all < 8 * self.wanted + 12, "of {} kills {} met any", self.all, self.met);
    }
}

/// Every acknowledged event is in the log once, where its answers said.
async fn expect_all(app: &TestApp, acknowledged: &BTreeMap<String, i64>) {
    assert!(!acknowledged.is_empty(), "something was acknowledged");
    let sql = "SELECT event_id, position FROM event
        WHERE tenant = 'default' AND namespace = 'stripe'";
    let rows = query(sql).fetch_all(app.owner()).await.unwrap();
    let mut stored: BTreeMap<String, i64> = BTreeMap::new();
    let mut found = Vec::new();
    for row in &rows {
        if stored.insert(row.get("event_id"), row.get("position")).is_some() {
            found.push(format!("{} is there twice", row.get::<String, _>("event_id")));
        }
    }
    for (id, position) in acknowledged {
        let at = stored.get(id);
        if at != Some(position) {
            found.push(format!("{id} was acknowledged at {position} and is at {at:?}"));
        }
    }
    let first = found.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} violations, the first of them:\n{first}", found.len());
    verify_log(app.owner(), "default").await;
}
