//! Connections cut between a request, its execution and its answer.

use std::sync::Arc;

use ledger_cluster::Cluster;
use ledger_domain::id::Tenant;
use ledger_log::postgres::{Point, Pools, PostgresLog, Settings};
use ledger_log::testing::{opening, own, tenant};
use ledger_log::{EventLog, Outcome, system_clock};

use crate::check::{RawLog, assert_no_violations};
use crate::gate::Gate;
use crate::load::Load;
use crate::proxy::{Cut, Proxy};
use crate::support::{LOGIN, database, log_on, owner};

struct Behind {
    database: String,
    proxy: Proxy,
    gate: Arc<Gate>,
    log: Arc<PostgresLog>,
    tenant: Tenant,
}

/// A log behind a proxy, with a known event, and a gate.
async fn behind(point: Point) -> Behind {
    let database = database().await;
    let proxy = Proxy::start(Cluster::shared()).await;
    let gate = Gate::at(point);
    let pools = Pools::connect_lazy(&proxy.url(&database, LOGIN), "cut").unwrap();
    let settings = Settings { hook: Some(gate.hook()), ..Settings::default() };
    let log = PostgresLog::connect(&pools, system_clock(), settings).await.unwrap();
    let tenant = tenant("cut");
    log.open(&tenant, opening()).await.unwrap();
    log.append(&tenant, vec![own("before")]).await.unwrap();
    Behind { database, proxy, gate, log: Arc::new(log), tenant }
}

impl Behind {
    /// Appends, with something done while the appending task stands at the gate.
    async fn append_while(&self, id: &str, act: impl Future<Output = ()>) -> Outcome {
        self.gate.stop(1);
        let events = vec![own(id), own(&format!("{id}_too"))];
        let append = self.log.append(&self.tenant, events);
        let at_the_gate = async {
            self.gate.reached().await;
            act.await;
            self.gate.release();
        };
        let (outcomes, ()) = tokio::join!(append, at_the_gate);
        let outcomes = outcomes.unwrap();
        assert_eq!(outcomes[1].position(), outcomes[0].position() + 1);
        outcomes[0]
    }

    async fn assert_sound(&self, events: usize) {
        let log = RawLog::read(&owner(&self.database).await, "cut").await;
        assert_no_violations(&log, &[]);
        assert_eq!(log.events.len(), events);
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let behind = behind(Point::BeforeSend).await;
    let done = behind.append_while("evt_1", async { behind.proxy.cut(Cut::Answer) }).await;
    behind.proxy.was_cut().await;
    assert_eq!(done, Outcome::Appended { position: 3, revision: 0 }, "it was this append");
    behind.assert_sound(4).await;
}

#[tokio::test]
async fn a_lost_request_is_sent_again() {
    let behind = behind(Point::BeforeSend).await;
    let done = behind.append_while("evt_1", async { behind.proxy.cut(Cut::Request) }).await;
    behind.proxy.was_cut().await;
    assert_eq!(done, Outcome::Appended { position: 3, revision: 0 });
    behind.assert_sound(4).await;
}

#[tokio::test]
async fn a_request_that_arrives_after_it_was_repeated_changes_nothing() {
    let behind = behind(Point::BeforeSend).await;
    let done = behind.append_while("evt_1", async { behind.proxy.cut(Cut::LateRequest) }).await;
    behind.proxy.was_cut().await;
    assert_eq!(done, Outcome::Appended { position: 3, revision: 0 });
    behind.proxy.deliver_late().await;
    behind.assert_sound(4).await;
    behind.log.append(&behind.tenant, vec![own("after")]).await.unwrap();
    behind.assert_sound(5).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_commit_is_found_out() {
    let behind = behind(Point::BeforeCommit).await;
    // Somebody else's append sends this one the long way, under the lock.
    let other = log_on(&behind.database).await;
    other.append(&behind.tenant, vec![own("other")]).await.unwrap();
    let done = behind.append_while("evt_1", async { behind.proxy.cut(Cut::Answer) }).await;
    behind.proxy.was_cut().await;
    assert_eq!(done, Outcome::Appended { position: 4, revision: 0 });
    behind.assert_sound(5).await;
}

#[tokio::test]
async fn a_lost_answer_is_found_out_after_others_have_appended() {
    let behind = behind(Point::BeforeSend).await;
    let lost = Gate::at(Point::Lost);
    let hooks = [behind.gate.hook(), lost.hook()];
    let hook: ledger_log::postgres::Hook = Arc::new(move |point| {
        let passed = hooks.clone().map(|hook| hook(point));
        Box::pin(async move {
            for pass in passed {
                pass.await?;
            }
            Ok(())
        })
    });
    let pools = Pools::connect_lazy(&behind.proxy.url(&behind.database, LOGIN), "cut").unwrap();
    let settings = Settings { hook: Some(hook), ..Settings::default() };
    let log = PostgresLog::connect(&pools, system_clock(), settings).await.unwrap();
    let behind = Behind { log: Arc::new(log), ..behind };
    behind.log.append(&behind.tenant, vec![own("known")]).await.unwrap();
    let other = log_on(&behind.database).await;
    lost.stop(1);
    let append = behind.append_while("evt_1", async { behind.proxy.cut(Cut::Answer) });
    let meanwhile = async {
        lost.reached().await;
        other.append(&behind.tenant, vec![own("other")]).await.unwrap();
        lost.release();
    };
    let (done, ()) = tokio::join!(append, meanwhile);
    assert_eq!(done, Outcome::Appended { position: 4, revision: 0 });
    behind.assert_sound(6).await;
    let next = behind.log.append(&behind.tenant, vec![own("next")]).await.unwrap();
    assert_eq!(next[0].position(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_under_load_lose_and_repeat_nothing() {
    let database = database().await;
    let proxy = Proxy::start(Cluster::shared()).await;
    let pools = Pools::connect_lazy(&proxy.url(&database, LOGIN), "cut").unwrap();
    let log = PostgresLog::connect(&pools, system_clock(), Settings::default()).await.unwrap();
    let load = Load::start(vec![Arc::new(log)], "cut", 16).await;
    for cut in [Cut::Answer, Cut::Request, Cut::Answer, Cut::Answer, Cut::Request].repeat(6) {
        load.more(20).await;
        proxy.cut(cut);
        proxy.was_cut().await;
    }
    let told = load.finish().await;
    let log = RawLog::read(&owner(&database).await, "cut").await;
    assert_no_violations(&log, &told.acks);
}
