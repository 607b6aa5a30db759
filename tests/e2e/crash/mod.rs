//! Whatever is killed, and whenever: what was acknowledged is there once, what was not is there
//! once or not at all.

mod kills;
mod load;
mod lost_answers;
mod nodes;
pub(crate) mod proxy;

use std::collections::BTreeMap;

use sqlx::{Row, query};

use crate::check::verify_log;
use crate::harness::TestApp;

/// Every acknowledged event is in the log once, where its answers said.
async fn expect_all(app: &TestApp, acknowledged: &BTreeMap<String, i64>) {
    assert!(!acknowledged.is_empty(), "something was acknowledged");
    let sql = "SELECT event_id, position FROM event
        WHERE tenant = 'default' AND namespace = 'stripe'";
    let rows = query(sql).fetch_all(app.owner()).await.unwrap();
    let mut stored: BTreeMap<String, i64> = BTreeMap::new();
    for row in &rows {
        let before = stored.insert(row.get("event_id"), row.get("position"));
        assert_eq!(before, None, "{} is there twice", row.get::<String, _>("event_id"));
    }
    for (id, position) in acknowledged {
        assert_eq!(stored.get(id), Some(position), "{id} was acknowledged at {position}");
    }
    verify_log(app.owner(), "default").await;
}
