use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use ledger_domain::time::Timestamp;

use super::*;

const NOW: i64 = 1_780_000_000;

/// A throttle, its clock, and a tier that can be changed.
struct Scene {
    throttle: Throttle,
    clock: Clock,
    /// 0 = nobody can tell.
    rate: AtomicU32,
    looks: AtomicU32,
}

fn quota(calls: u32) -> Option<Quota> {
    NonZeroU32::new(calls).map(Quota::per_minute)
}

impl Scene {
    fn new(rates: RatesConfig) -> Self {
        let clock = Clock::at(Timestamp::from_unix(NOW));
        let throttle = Throttle::new(rates, clock.clone());
        Self { throttle, clock, rate: AtomicU32::new(3), looks: AtomicU32::new(0) }
    }

    fn at(&self, seconds: i64) {
        self.clock.set(Timestamp::from_unix(NOW + seconds));
    }

    async fn call(&self, tenant: &str, who: Who) -> Option<Verdict> {
        let tenant = Tenant::try_new(tenant).unwrap();
        let look = |_| async {
            self.looks.fetch_add(1, Ordering::SeqCst);
            // Others get to run while the database is asked.
            tokio::task::yield_now().await;
            let quota = quota(self.rate.load(Ordering::SeqCst))?;
            Some(Policy { name: "tier".into(), quota })
        };
        self.throttle.count(&tenant, who, look).await
    }

    async fn calls(&self, trainer: &str) -> bool {
        self.call("acme", self::trainer(trainer)).await.expect("a limit").is_allowed
    }
}

fn trainer(name: &str) -> Who {
    Who::Trainer(TrainerId::try_new(name).unwrap())
}

#[tokio::test]
async fn each_trainer_of_each_tenant_has_calls_of_its_own() {
    let scene = Scene::new(RatesConfig::default());
    let first = scene.call("acme", trainer("t1")).await.unwrap();
    assert_eq!((first.is_allowed, first.remaining, first.next_in_s), (true, 2, 20));
    assert!(scene.calls("t1").await && scene.calls("t1").await);
    let refused = scene.call("acme", trainer("t1")).await.unwrap();
    assert_eq!((refused.is_allowed, refused.remaining, refused.next_in_s), (false, 0, 20));
    assert!(scene.calls("t2").await);
    assert!(scene.call("other", trainer("t1")).await.unwrap().is_allowed);
    scene.at(20);
    assert!(scene.calls("t1").await && !scene.calls("t1").await);
}

#[tokio::test]
async fn a_tier_is_asked_for_seldom_and_sooner_by_who_would_be_refused() {
    let scene = Scene::new(RatesConfig::default());
    let looks = || scene.looks.load(Ordering::SeqCst);
    assert!(scene.calls("t1").await && scene.calls("t1").await && scene.calls("t1").await);
    for _ in 0..10 {
        assert!(!scene.calls("t1").await);
    }
    assert_eq!(looks(), 1);
    scene.rate.store(5, Ordering::SeqCst);
    scene.at(1);
    assert!(scene.calls("t1").await, "the upgrade is known");
    assert_eq!(looks(), 2);
    scene.rate.store(1, Ordering::SeqCst);
    scene.at(4);
    assert!(scene.calls("t1").await, "the downgrade isn't yet");
    assert_eq!(looks(), 2);
    scene.at(6);
    assert!(!scene.calls("t1").await);
    assert_eq!(looks(), 3);
}

#[tokio::test]
async fn one_looks_for_all_who_come_at_once() {
    let scene = Scene::new(RatesConfig::default());
    let calls = std::iter::repeat_with(|| scene.calls("t1")).take(50);
    let allowed = futures::future::join_all(calls).await;
    assert_eq!(allowed.into_iter().filter(|is_allowed| *is_allowed).count(), 3);
    assert_eq!(scene.looks.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_known_counts_while_nobody_can_tell() {
    let scene = Scene::new(RatesConfig::default());
    scene.rate.store(0, Ordering::SeqCst);
    let calls = std::iter::repeat_with(|| scene.call("acme", trainer("t1"))).take(50);
    let told = futures::future::join_all(calls).await;
    assert!(told.iter().all(Option::is_none));
    assert_eq!(scene.looks.load(Ordering::SeqCst), 1, "one waits in vain for all");
    scene.rate.store(3, Ordering::SeqCst);
    scene.at(1);
    for _ in 0..3 {
        assert!(scene.calls("t1").await);
    }
    scene.rate.store(0, Ordering::SeqCst);
    scene.at(10);
    assert!(!scene.calls("t1").await);
}

#[tokio::test]
async fn services_and_admins_have_the_limits_of_the_settings() {
    let open = Scene::new(RatesConfig::default());
    for who in [Who::Service("shop".into()), Who::Admin("ada".into())] {
        assert!(open.call("acme", who).await.is_none());
    }
    let closed = Scene::new(RatesConfig { service: quota(2), admin: quota(1) });
    for (who, calls, name) in
        [(Who::Service("x".into()), 2, "service"), (Who::Admin("x".into()), 1, "admin")]
    {
        for _ in 0..calls {
            assert!(closed.call("acme", who.clone()).await.unwrap().is_allowed);
        }
        let refused = closed.call("acme", who).await.unwrap();
        assert_eq!((refused.is_allowed, &*refused.policy.name), (false, name));
    }
    assert!(closed.call("acme", Who::Service("y".into())).await.unwrap().is_allowed);
    assert_eq!(closed.looks.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_number_of_callers_is_bounded() {
    let scene = Scene::new(RatesConfig { service: quota(1), admin: None });
    for n in 0..CALLERS_MAX + 10_000 {
        scene.call("acme", Who::Service(n.to_string().into())).await;
    }
    assert!(scene.throttle.callers.len() <= CALLERS_MAX);
}
