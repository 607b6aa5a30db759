//! The history of each subscription against how it really stood from second to second, as the
//! simulator remembers it without looking at events. What happened within one second counts by how
//! it ended: the rest nobody could tell.

use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::account::{Change, ChangeView};
use ledger_domain::id::StripeId;
use ledger_simulator::world::{Event, Stood, Truth, World};

use crate::ledger::Shown;
use crate::statuses::Undecided;

/// How a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// It never gave anything yet.
    NotYet,
    Lives(Life),
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Life {
    prices: Vec<String>,
    is_trial: bool,
    is_to_end: bool,
    is_paused: bool,
    /// Whether payments failed; none where a history doesn't tell. A pause may end that, which has
    /// no step of its own.
    owes: Option<bool>,
}

impl Standing {
    fn of(stood: &Stood) -> Self {
        match stood.status {
            "incomplete" | "incomplete_expired" => Self::NotYet,
            "canceled" => Self::Over,
            status => Self::Lives(Life {
                prices: stood.prices.clone(),
                is_trial: status == "trialing",
                is_to_end: stood.is_to_end,
                is_paused: stood.is_paused,
                owes: Some(["past_due", "unpaid"].contains(&status)),
            }),
        }
    }

    /// Takes a step of a history.
    fn take(&mut self, step: &ChangeView) -> Result<(), String> {
        let prices = |ids: &[StripeId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let life = match (&mut *self, step.change) {
            (Self::NotYet, Change::Created) => {
                *self = Self::Lives(Life {
                    prices: prices(&step.to_prices),
                    is_trial: false,
                    is_to_end: false,
                    is_paused: false,
                    owes: Some(false),
                });
                return Ok(());
            }
            (Self::Lives(life), _) => life,
            _ => return Err(format!("{step:?} while it is {self:?}")),
        };
        if step.change == Change::PlanChanged && prices(&step.from_prices) != life.prices {
            return Err(format!("{step:?} while it is {life:?}"));
        }
        let toggled = |flag: &mut bool, to: bool| std::mem::replace(flag, to) != to;
        let is_new = match step.change {
            Change::PlanChanged => {
                let to = prices(&step.to_prices);
                std::mem::replace(&mut life.prices, to.clone()) != to
            }
            Change::TrialStarted => toggled(&mut life.is_trial, true),
            Change::TrialEnded => toggled(&mut life.is_trial, false),
            Change::CancelScheduled => toggled(&mut life.is_to_end, true),
            Change::CancelWithdrawn => toggled(&mut life.is_to_end, false),
            Change::Paused => toggled(&mut life.is_paused, true),
            Change::Resumed => toggled(&mut life.is_paused, false),
            Change::PaymentFailed => life.owes.replace(true) != Some(true),
            Change::Recovered => life.owes.replace(false) != Some(false),
            Change::Renewed => true,
            Change::Cancelled => {
                *self = Self::Over;
                return Ok(());
            }
            _ => false,
        };
        let is_about_pause = matches!(step.change, Change::Paused | Change::Resumed);
        if life.owes == Some(true) && (life.is_paused || is_about_pause) {
            life.owes = None;
        }
        if is_new { Ok(()) } else { Err(format!("{step:?} changes nothing")) }
    }

    /// The same as the truth, as far as it tells.
    fn agrees(&self, truth: &Self) -> bool {
        match (self, truth) {
            (Self::Lives(life), Self::Lives(truth)) => {
                let owes = life.owes.or(truth.owes);
                *truth == Life { owes, ..life.clone() }
            }
            _ => self == truth,
        }
    }
}

/// Compares a subscription's history with the truth, and returns at how many seconds. Where events
/// were told with other times than they had, so was what they tell.
pub(crate) fn check_history(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    truth: &Truth,
) -> Result<usize, String> {
    let past = world.past(&truth.subscription);
    let id = StripeId::try_new(&truth.subscription).expect("an id");
    let steps = shown.histories.get(&id).map_or(&[][..], Vec::as_slice);
    let wrong = |what: String| format!("{what}\nin {steps:#?}\nof {past:#?}");
    let told = told_at(world, events, &truth.subscription);
    let (mut real, mut renewed) = (BTreeMap::new(), BTreeSet::new());
    let mut before: Option<&Stood> = None;
    for stood in past {
        let begun = before.filter(|before| Standing::of(before) != Standing::NotYet);
        let renews = begun.is_some_and(|it| it.period.1 <= stood.period.0);
        let of_trial = begun.is_some_and(|it| it.status == "trialing");
        let standing = Standing::of(stood);
        let is_seen = renews || begun.map_or(Standing::NotYet, Standing::of) != standing;
        before = Some(stood);
        let Some(&at) = told.get(&stood.at) else {
            if is_seen {
                return Err(wrong(format!("nobody told of {stood:?}")));
            }
            continue;
        };
        if renews && !of_trial && standing != Standing::Over {
            renewed.insert(at);
        }
        real.insert(at, standing);
    }
    let mut shows = BTreeMap::new();
    let mut standing = Standing::NotYet;
    for step in steps {
        standing.take(step).map_err(wrong)?;
        shows.insert(step.at.unix(), standing.clone());
    }
    let seconds: BTreeSet<i64> = real.keys().chain(shows.keys()).copied().collect();
    for second in &seconds {
        let at = |standings: &BTreeMap<i64, Standing>| {
            let until = standings.range(..=second).next_back();
            until.map_or(Standing::NotYet, |(_, standing)| standing.clone())
        };
        let (shown, real) = (at(&shows), at(&real));
        if !shown.agrees(&real) {
            return Err(wrong(format!("at {second} it is {real:?} and not {shown:?}")));
        }
    }
    let is_renewal = |step: &&ChangeView| step.change == Change::Renewed;
    let told: BTreeSet<i64> = steps.iter().filter(is_renewal).map(|it| it.at.unix()).collect();
    if told != renewed {
        return Err(wrong(format!("it was renewed at {renewed:?} and not at {told:?}")));
    }
    Ok(seconds.len())
}

/// With which second the events of each second about a subscription were told.
fn told_at(world: &World, events: &[&Event], subscription: &str) -> BTreeMap<i64, i64> {
    let told: BTreeMap<&str, i64> = events
        .iter()
        .filter(|event| event.object["id"] == *subscription)
        .map(|event| (event.id.as_str(), event.created))
        .collect();
    let real = world.events().iter();
    real.filter_map(|event| Some((event.created, *told.get(event.id.as_str())?))).collect()
}

/// That each row of a trainer's payments tells what was asked for and when, and when something was
/// last told of it.
pub(crate) fn check_payments_past(
    shown: &Shown,
    world: &World,
    events: &[&Event],
    undecided: &Undecided,
) -> Result<(), String> {
    let mut told: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        let kind = event.object["object"].as_str().unwrap_or_default();
        if ["invoice", "payment_intent", "refund", "dispute"].contains(&kind) {
            let id = event.object["id"].as_str().expect("an id");
            let last = told.entry(id).or_insert(event.created);
            *last = event.created.max(*last);
        }
    }
    for (id, last) in told.iter().filter(|(id, _)| !undecided.is_about(id)) {
        let object = world.find(id).unwrap_or_default();
        let amount = if object["object"] == "invoice" { "total" } else { "amount" };
        let row = shown.payments.get(&StripeId::try_new(id).expect("an id"));
        let row = row.ok_or_else(|| format!("{id} has no row"))?;
        let tells = (Some(row.amount_minor), Some(row.created_at.unix()));
        let is_so = tells == (object[amount].as_i64(), object["created"].as_i64());
        if !is_so || row.updated_at.unix() < *last {
            return Err(format!("{object:#}\nlast told at {last} isn't as in {row:#?}"));
        }
    }
    Ok(())
}
