//! Random sequences of commands against a model that is too simple to be wrong.

use ledger_domain::id::Tenant;
use ledger_domain::time::{Interval, Timestamp};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Log, open, read_all};
use crate::port::{AppendError, Decided, Expected, NewEvent, Outcome, UsageChange};
use crate::testing::{WHEN, counter, event, usage, within_limit};

/// What a writer says that it has seen.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Nothing,
    /// The truth.
    Last,
    Revision(i64),
}

#[derive(Debug, Clone)]
struct Planned {
    id: u8,
    /// 0 and 1 are shared streams, all else is the event's own.
    stream: u8,
    content: u8,
    seen: Seen,
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Planned>),
    Consume { id: u8, scope: Scope, quantity: i64, content: u8 },
    Hold { id: u8, scope: Scope, hold: u8, quantity: i64, expired: bool },
    Settle { id: u8, scope: Scope, hold: u8, quantity: i64 },
}

/// Whose usage it is, when it happened, and which window is looked at.
#[derive(Debug, Clone, Copy)]
struct Scope {
    trainer: u8,
    at: i64,
    window: Option<i64>,
}

impl Scope {
    fn trainer(self) -> String {
        format!("t{}", self.trainer)
    }

    fn window(self) -> Option<Interval> {
        let at = |n| Timestamp::from_unix(WHEN + n);
        self.window.map(|n| Interval { from: at(n), until: at(n + 1) })
    }
}

fn planned() -> impl Strategy<Value = Planned> {
    let seen = prop_oneof![
        4 => Just(Seen::Last),
        1 => Just(Seen::Nothing),
        1 => (0..4i64).prop_map(Seen::Revision),
    ];
    (0..14u8, 0..3u8, any::<bool>(), seen).prop_map(|(id, stream, twist, seen)| Planned {
        id,
        stream,
        content: u8::from(twist && id % 5 == 0),
        seen,
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let window = prop_oneof![2 => Just(None), 1 => (0..2i64).prop_map(Some)];
    (0..2u8, 0..2i64, window).prop_map(|(trainer, at, window)| Scope { trainer, at, window })
}

fn step() -> impl Strategy<Value = Step> {
    let (quantity, hold) = (1..4i64, 0..3u8);
    prop_oneof![
        4 => proptest::collection::vec(planned(), 1..4).prop_map(Step::Append),
        4 => (0..16u8, scope(), quantity.clone(), any::<bool>()).prop_map(
            |(id, scope, quantity, twist)| {
                Step::Consume { id, scope, quantity, content: u8::from(twist && id % 4 == 0) }
            }
        ),
        2 => (0..16u8, scope(), hold.clone(), quantity, any::<bool>()).prop_map(
            |(id, scope, hold, quantity, expired)| Step::Hold { id, scope, hold, quantity, expired }
        ),
        2 => (0..16u8, scope(), hold, 0..3i64).prop_map(|(id, scope, hold, quantity)| {
            Step::Settle { id, scope, hold, quantity }
        }),
    ]
}

/// A list of events, looked through from its start for every question.
#[derive(Default)]
struct Model {
    events: Vec<(NewEvent, i64)>,
}

const LIMIT: i64 = 12;

impl Model {
    fn find(&self, event: &NewEvent) -> Option<(i64, i64, bool)> {
        let at = self.events.iter().position(|(known, _)| known.key == event.key)?;
        let (known, revision) = &self.events[at];
        let position = i64::try_from(at).expect("few") + 1;
        Some((position, *revision, known.content_hash == event.content_hash))
    }

    fn last(&self, event: &NewEvent) -> Option<i64> {
        let of_stream = self.events.iter().filter(|(known, _)| known.stream == event.stream);
        of_stream.map(|(_, revision)| *revision).max()
    }

    fn push(&mut self, event: NewEvent) -> Outcome {
        let revision = self.last(&event).map_or(0, |last| last + 1);
        self.events.push((event, revision));
        let position = i64::try_from(self.events.len()).expect("few");
        Outcome::Appended { position, revision }
    }

    fn append(&mut self, events: &[NewEvent]) -> Option<Vec<Outcome>> {
        let before = self.events.len();
        let mut outcomes = Vec::new();
        for event in events {
            let outcome = match self.find(event) {
                Some((position, revision, true)) => {
                    Some(Outcome::AlreadyAppended { position, revision })
                }
                Some((_, _, false)) => None,
                None => {
                    let seen = match event.expected {
                        Expected::NoStream => None,
                        Expected::Revision(revision) => Some(revision),
                    };
                    (self.last(event) == seen).then(|| self.push(event.clone()))
                }
            };
            let Some(outcome) = outcome else {
                self.events.truncate(before);
                return None;
            };
            outcomes.push(outcome);
        }
        Some(outcomes)
    }

    /// Used and held.
    fn counter(&self, scope: Scope) -> (i64, i64) {
        let (mut used, mut holds) = (0, std::collections::HashMap::new());
        let all = self.events.iter().filter_map(|(event, _)| event.usage.as_ref());
        for usage in all.filter(|usage| usage.trainer.as_str() == scope.trainer()) {
            let counts = scope.window().is_none_or(|window| window.contains(usage.occurred_at));
            match usage.change {
                UsageChange::Count(quantity) => used += if counts { quantity } else { 0 },
                UsageChange::Hold { id, quantity, until } => {
                    let runs = counts && until == Timestamp::MAX;
                    holds.insert(id, if runs { quantity } else { 0 });
                }
                UsageChange::Settle { id, quantity } => {
                    holds.remove(&id);
                    used += if counts { quantity } else { 0 };
                }
            }
        }
        (used, holds.values().sum())
    }
}

fn to_event(model: &Model, planned: &Planned) -> NewEvent {
    let id = format!("id{}", planned.id);
    let own = format!("api-{id}");
    let stream = match planned.stream {
        0 => "trainer-t1",
        1 => "tenant",
        _ => &own,
    };
    let mut event = event("api", &id, stream);
    event.content_hash = [planned.content; 32];
    if planned.stream < 2 {
        event.expected = match planned.seen {
            Seen::Nothing => Expected::NoStream,
            Seen::Last => model.last(&event).map_or(Expected::NoStream, Expected::Revision),
            Seen::Revision(revision) => Expected::Revision(revision),
        };
    }
    event
}

async fn take(log: &Log, tenant: &Tenant, model: &mut Model, step: Step) {
    let (id, scope, content, change, need) = match step {
        Step::Append(planned) => {
            let events: Vec<_> = planned.iter().map(|p| to_event(model, p)).collect();
            let expected = model.append(&events);
            let actual = log.append(tenant, events).await;
            assert!(!matches!(actual, Err(AppendError::Unavailable(_))), "{actual:?}");
            assert_eq!(actual.ok(), expected);
            return;
        }
        Step::Consume { id, scope, quantity, content } => {
            (id, scope, content, UsageChange::Count(quantity), quantity)
        }
        Step::Hold { id, scope, hold, quantity, expired } => {
            let until = if expired { Timestamp::from_unix(WHEN) } else { Timestamp::MAX };
            let hold = UsageChange::Hold { id: Uuid::from_u128(hold.into()), quantity, until };
            (id, scope, 0, hold, quantity)
        }
        Step::Settle { id, scope, hold, quantity } => {
            let id_of_hold = Uuid::from_u128(hold.into());
            (id, scope, 0, UsageChange::Settle { id: id_of_hold, quantity }, 0)
        }
    };
    let mut event = usage(&format!("use{id}"), &scope.trainer(), WHEN + scope.at, change);
    event.content_hash = [content; 32];
    let (used, held) = model.counter(scope);
    let expected = match model.find(&event) {
        Some((position, revision, true)) => {
            Some(Some(Outcome::AlreadyAppended { position, revision }))
        }
        Some((_, _, false)) => None,
        None if used + held + need <= LIMIT => Some(Some(model.push(event.clone()))),
        None => Some(None),
    };
    let key = counter(&scope.trainer(), scope.window());
    let decision = within_limit(event, key, need, LIMIT);
    let actual = match log.append_decided(tenant, decision).await {
        Ok(Decided::Granted(outcome, counter)) => Some((Some(outcome), counter)),
        Ok(Decided::Refused(counter)) => Some((None, counter)),
        Err(AppendError::IdReused { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(actual.map(|(outcome, _)| outcome), expected);
    if let Some((_, counter)) = actual {
        assert_eq!((counter.used, counter.held), model.counter(scope));
    }
}

/// Takes random sequences of steps, each on a log of its own, each step through any of the engines
/// that have these logs.
///
/// # Panics
/// When log and model disagree, with the shortest sequence that was found.
pub fn follows_the_model(runtime: &Runtime, engines: &[Log]) {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec((any::<Index>(), step()), 1..40);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let tenant = open(&engines[0]).await;
            let mut model = Model::default();
            let opened = event("log", "opened", "tenant");
            model.push(opened);
            for (by, step) in steps {
                take(by.get(engines), &tenant, &mut model, step).await;
            }
            let events = read_all(&engines[0], &tenant).await;
            let expected = model.events.iter().map(|(e, r)| (&e.key, &e.stream, *r));
            assert!(events.iter().map(|e| (&e.key, &e.stream, e.revision)).eq(expected));
        });
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}
