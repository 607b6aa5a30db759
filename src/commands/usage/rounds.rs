//! The way of a decision: load, decide inside the log, and again where that came too late.
//!
//! A limit has to be the one known from every fact that was acknowledged before the request. The
//! read models lag behind the log, and other processes write to it, so nobody but the log can
//! tell whether they are new enough: it tells each decision the position of its last fact, and a
//! decision whose terms are older refuses ([`Terms::stand`](ledger_domain::usage::Terms)). Then
//! the read models are waited for, up to that position, and the terms are computed anew.
//!
//! The second time, terms as new as the facts of the first look are enough. That look came after
//! the request had arrived, so every fact acknowledged before it lies at or before that position.
//! Facts that came later were acknowledged while the request ran: the request may be taken to
//! have come before them. So however fast webhooks stream in, two rounds settle the facts, and a
//! third is left for a window or a trial that ends just then.

use std::sync::{Arc, Mutex, PoisonError};

use ledger_domain::event::Event;
use ledger_domain::time::Timestamp;
use ledger_domain::usage::{Refusal, Terms};
use ledger_log::{
    Counter, CounterKey, Decided, Decision, Expected, NewEvent, Outcome, UsageEntry, Verdict,
};

use super::acts::{said_at, tally};
use super::{Act, Books, Request, Ruling, UsageError, event_of, key_of};
use crate::commands::facts::Fact;
use crate::reads::Seen;

/// How often a decision is asked for, at most.
const ROUNDS_MAX: usize = 3;

/// Carries out an act: decides it, and appends what comes of it.
pub(crate) async fn carry_out<A: Act>(
    books: Books<'_>,
    request: &Request,
    act: A,
) -> Result<Ruling, UsageError> {
    rounds(books, request, act, true).await
}

/// What would come of an act now. Nothing is appended.
pub(crate) async fn ask<A: Act>(
    books: Books<'_>,
    request: &Request,
    act: A,
) -> Result<Ruling, UsageError> {
    rounds(books, request, act, false).await
}

async fn rounds<A: Act>(
    books: Books<'_>,
    request: &Request,
    act: A,
    appends: bool,
) -> Result<Ruling, UsageError> {
    let act = Arc::new(act);
    let (mut new_enough, mut leader_time): (_, Option<Timestamp>) = (None, None);
    for _ in 0..ROUNDS_MAX {
        let basis = books.reads.basis(&request.tenant, &request.trainer, new_enough).await?;
        let seen = basis.at(leader_time.unwrap_or(basis.read_at))?;
        let window = act.window(&basis, &seen, &request.feature);
        let terms = Arc::new(terms(request, &seen, new_enough));
        let made = Made::default();
        let decision = Decision {
            key: key_of(request.id),
            content_hash: request.content_hash,
            counter: CounterKey {
                trainer: request.trainer.clone(),
                feature: request.feature.clone(),
                window,
            },
            hold: act.hold(),
            decide: decide(request, &act, &terms, &made, appends),
        };
        let decided = books.log.append_decided(&request.tenant, decision).await?;
        let (ruled, outcome, counter) = match decided {
            Decided::Granted(outcome, counter) => {
                let event = granted(books, request, outcome, &made).await?;
                (Ok(event), Some(outcome), counter)
            }
            Decided::Refused(counter) => (act.decide(&terms, &tally(&counter)), None, counter),
        };
        if !ruled.as_ref().is_err_and(|refusal| Refusal::asks_again(*refusal)) {
            return Ok(Ruling { ruled, outcome, counter, window, seen });
        }
        // It is the log's clock that counts, whatever ours says.
        leader_time = Some(counter.now);
        let position = *new_enough.get_or_insert(counter.facts);
        books.reads.wait_for(&request.tenant, Some(position)).await?;
    }
    Err(UsageError::Restless)
}

fn terms(request: &Request, seen: &Seen, new_enough: Option<i64>) -> Terms {
    Terms {
        trainer: request.trainer.clone(),
        feature: request.feature.clone(),
        entitlement: seen.answer.features.get(&request.feature).cloned(),
        outcome: seen.outcome,
        catalog_position: seen.catalog_position,
        position: seen.position,
        is_whole: seen.reached.position == seen.position,
        new_enough,
        from: seen.at,
        until: seen.answer.valid_until,
    }
}

/// The event that the last call of a decision made. The log may call it several times; what the
/// last call said is what was done.
type Made = Arc<Mutex<Option<Event>>>;

fn decide<A: Act>(
    request: &Request,
    act: &Arc<A>,
    terms: &Arc<Terms>,
    made: &Made,
    appends: bool,
) -> Arc<dyn Fn(&Counter) -> Verdict + Send + Sync> {
    if !appends {
        return Arc::new(|_| Verdict::Refuse);
    }
    let (request, act) = (request.clone(), Arc::clone(act));
    let (terms, made) = (Arc::clone(terms), Arc::clone(made));
    Arc::new(move |counter| {
        let event = act.decide(&terms, &tally(counter)).ok();
        let verdict = event.as_ref().and_then(|event| new_event(&request, event, counter.now));
        *made.lock().unwrap_or_else(PoisonError::into_inner) = event;
        verdict.map_or(Verdict::Refuse, |event| Verdict::Append(Box::new(event)))
    })
}

fn new_event(request: &Request, event: &Event, now: Timestamp) -> Option<NewEvent> {
    let at = said_at(event, now);
    let usage = UsageEntry::of(event, at)?;
    let stream = format!("usage-{}-{}", request.trainer, request.feature);
    let fact = Fact {
        key: key_of(request.id),
        stream: stream.parse().ok()?,
        expected: Expected::NoStream,
        at,
    };
    let stated = fact.stating(event, &request.metadata);
    Some(NewEvent { content_hash: request.content_hash, usage: Some(usage), ..stated })
}

/// The event that was granted: just now, or when the key was first used.
async fn granted(
    books: Books<'_>,
    request: &Request,
    outcome: Outcome,
    made: &Made,
) -> Result<Event, UsageError> {
    let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, made) {
        (Outcome::Appended { .. }, Some(event)) => Ok(event),
        (Outcome::Appended { position, .. } | Outcome::AlreadyAppended { position, .. }, _) => {
            let found = event_of(books.log, &request.tenant, &key_of(request.id)).await?;
            found.ok_or(UsageError::Unreadable(position))
        }
    }
}
