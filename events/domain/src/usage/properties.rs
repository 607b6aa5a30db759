//! Whatever is asked for in whatever order: no more than the limit is ever used or held.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use uuid::Uuid;

use super::tests::{NOW, starter};
use super::{
    Refusal, Tally, decide_commit, decide_consume, decide_give_up, decide_release, decide_reserve,
};
use crate::effective::testing::at;
use crate::event::{Event, UsageReserved};
use crate::time::SECOND;

/// What the test catalogue's lowest tier allows.
const LIMIT: i64 = 9;

#[derive(Debug, Clone)]
enum Step {
    Consume(i64),
    Reserve(i64, i64),
    Commit(u128, Option<i64>),
    GiveUp(u128),
    Release(i64),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let quantity = prop_oneof![1..=12_i64, Just(i64::MAX)];
    prop_oneof![
        quantity.clone().prop_map(Step::Consume),
        (quantity.clone(), 1..=20_i64).prop_map(|(quantity, ttl)| Step::Reserve(quantity, ttl)),
        (0..6_u128, any::<bool>(), 0..=12_i64)
            .prop_map(|(hold, all, part)| Step::Commit(hold, (!all).then_some(part))),
        (0..6_u128).prop_map(Step::GiveUp),
        quantity.prop_map(Step::Release),
        (1..=10_i64).prop_map(Step::Pass),
    ]
}

/// A counter, kept by hand.
#[derive(Default)]
struct Counter {
    used: i64,
    seconds: i64,
    placed: Vec<UsageReserved>,
    running: BTreeMap<Uuid, (i64, i64)>,
}

impl Counter {
    fn tally(&mut self, hold: Option<Uuid>) -> Tally {
        let now = self.seconds;
        self.running.retain(|_, (_, until)| *until > now);
        Tally {
            used: self.used,
            held: self.running.values().map(|(quantity, _)| quantity).sum(),
            hold: hold.and_then(|hold| self.running.get(&hold)).map(|(quantity, _)| *quantity),
            facts: 7,
            now: at(NOW).plus(now * SECOND),
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), Refusal> {
        let terms = starter("customers");
        let index = |hold: u128| usize::try_from(hold).unwrap_or(usize::MAX);
        let event = match *step {
            Step::Pass(seconds) => {
                self.seconds += seconds;
                return Ok(());
            }
            Step::Consume(quantity) => decide_consume(&terms, &self.tally(None), quantity)?,
            Step::Reserve(quantity, ttl) => {
                let hold = Uuid::from_u128(self.placed.len() as u128);
                decide_reserve(&terms, &self.tally(None), quantity, (hold, ttl * SECOND))?
            }
            Step::Commit(hold, quantity) => {
                let hold = self.placed.get(index(hold)).cloned().ok_or(Refusal::HoldEnded)?;
                decide_commit(&hold, &self.tally(Some(hold.hold)), quantity)?
            }
            Step::GiveUp(hold) => {
                let hold = self.placed.get(index(hold)).cloned().ok_or(Refusal::HoldEnded)?;
                decide_give_up(&hold, &self.tally(Some(hold.hold)))?
            }
            Step::Release(quantity) => decide_release(&terms, &self.tally(None), quantity)?,
        };
        match event {
            Event::UsageConsumed(e) => self.used += e.quantity,
            Event::UsageReleased(e) => self.used -= e.quantity,
            Event::UsageReserved(e) => {
                let until = (e.expires_at.micros() - at(NOW).micros()) / SECOND;
                self.running.insert(e.hold, (e.quantity, until));
                self.placed.push(e);
            }
            Event::ReservationCommitted(e) => {
                self.running.remove(&e.hold).expect("it ran");
                self.used += e.quantity;
            }
            Event::ReservationReleased(e) => {
                self.running.remove(&e.hold).expect("it ran");
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_is_granted_stays_within_the_limit(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut counter = Counter::default();
        for step in &steps {
            let before = counter.tally(None);
            let decided = counter.take(step);
            let after = counter.tally(None);
            let in_use = after.used + after.held;
            assert!(after.used >= 0 && in_use <= LIMIT, "{step:?} led to {after:?}");
            if decided.is_ok() {
                continue;
            }
            if let Step::Consume(quantity) | Step::Reserve(quantity, _) = step {
                let room = LIMIT - before.used - before.held;
                assert!(*quantity > room, "{step:?} was refused while there was room: {before:?}");
            }
        }
    }
}
