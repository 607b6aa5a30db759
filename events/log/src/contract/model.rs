//! Random sequences of commands against a model that is too simple to be wrong.

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
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
    Consume { id: u8, quantity: i64, content: u8 },
    Hold { id: u8, hold: u8, quantity: i64, expired: bool },
    Settle { id: u8, hold: u8, quantity: i64 },
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

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(planned(), 1..4).prop_map(Step::Append),
        3 => (0..8u8, 1..4i64, 0..2u8).prop_map(|(id, quantity, content)| {
            Step::Consume { id, quantity, content: u8::from(content == 1 && id % 4 == 0) }
        }),
        1 => (0..8u8, 0..3u8, 1..4i64, any::<bool>()).prop_map(|(id, hold, quantity, expired)| {
            Step::Hold { id, hold, quantity, expired }
        }),
        1 => (0..8u8, 0..3u8, 0..3i64).prop_map(|(id, hold, quantity)| {
            Step::Settle { id, hold, quantity }
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
    fn counter(&self) -> (i64, i64) {
        let (mut used, mut holds) = (0, std::collections::HashMap::new());
        for usage in self.events.iter().filter_map(|(event, _)| event.usage.as_ref()) {
            match usage.change {
                UsageChange::Count(quantity) => used += quantity,
                UsageChange::Hold { id, quantity, until } => {
                    let running = until == Timestamp::MAX;
                    holds.insert(id, if running { quantity } else { 0 });
                }
                UsageChange::Settle { id, quantity } => {
                    holds.remove(&id);
                    used += quantity;
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
    let (id, content, change, need) = match step {
        Step::Append(planned) => {
            let events: Vec<_> = planned.iter().map(|p| to_event(model, p)).collect();
            let expected = model.append(&events);
            let actual = log.append(tenant, events).await;
            assert!(!matches!(actual, Err(AppendError::Unavailable(_))), "{actual:?}");
            assert_eq!(actual.ok(), expected);
            return;
        }
        Step::Consume { id, quantity, content } => {
            (id, content, UsageChange::Count(quantity), quantity)
        }
        Step::Hold { id, hold, quantity, expired } => {
            let until = if expired { Timestamp::from_unix(WHEN) } else { Timestamp::MAX };
            let hold = UsageChange::Hold { id: Uuid::from_u128(hold.into()), quantity, until };
            (id, 0, hold, quantity)
        }
        Step::Settle { id, hold, quantity } => {
            (id, 0, UsageChange::Settle { id: Uuid::from_u128(hold.into()), quantity }, 0)
        }
    };
    let mut event = usage(&format!("use{id}"), "t1", WHEN, change);
    event.content_hash = [content; 32];
    let (used, held) = model.counter();
    let expected = match model.find(&event) {
        Some((position, revision, true)) => {
            Some(Some(Outcome::AlreadyAppended { position, revision }))
        }
        Some((_, _, false)) => None,
        None if used + held + need <= LIMIT => Some(Some(model.push(event.clone()))),
        None => Some(None),
    };
    let decision = within_limit(event, counter("t1", None), need, LIMIT);
    let actual = match log.append_decided(tenant, decision).await {
        Ok(Decided::Granted(outcome, counter)) => Some((Some(outcome), counter)),
        Ok(Decided::Refused(counter)) => Some((None, counter)),
        Err(AppendError::IdReused { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(actual.map(|(outcome, _)| outcome), expected);
    if let Some((_, counter)) = actual {
        assert_eq!((counter.used, counter.held), model.counter());
    }
}

/// Takes random sequences of steps, each on a log of its own.
///
/// # Panics
/// When log and model disagree, with the shortest sequence that was found.
pub fn follows_the_model(runtime: &Runtime, log: &Log) {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..40);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let tenant = open(log).await;
            let mut model = Model::default();
            let opened = event("log", "opened", "tenant");
            model.push(opened);
            for step in steps {
                take(log, &tenant, &mut model, step).await;
            }
            let events = read_all(log, &tenant).await;
            let expected = model.events.iter().map(|(e, r)| (&e.key, &e.stream, *r));
            assert!(events.iter().map(|e| (&e.key, &e.stream, e.revision)).eq(expected));
        });
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}
