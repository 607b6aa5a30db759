//! What a person is told of an anomaly: computed when asked, from the two events concerned, by the
//! same comparison that found it.

use super::compared::{Difference, Earlier, differences, earlier};
use super::facts::Snapshot;
use crate::event::stripe::Reported;
use crate::event::{Event, of_nobody, of_trainer, of_usage};

/// Runs a function over the report of one object's event, and over the report of an earlier event
/// where that is of the same kind.
macro_rules! of_one_kind {
    ($event:expr, $other:expr, $function:ident, [$($kind:ident)*]) => {
        match $event {
            $(Event::$kind(reported) => {
                let other = match $other {
                    Some(Event::$kind(other)) => Some(other),
                    _ => None,
                };
                $function(other, reported)
            })*
            Event::LogOpened(_)
            | Event::CatalogPublished(_)
            | Event::EnforcementChanged(_)
            | Event::CustomerLinked(_)
            | of_trainer!()
            | of_usage!()
            | of_nobody!() => Vec::new(),
        }
    };
    ($event:expr, $other:expr, $function:ident) => {
        of_one_kind!($event, $other, $function, [
            SubscriptionReported ScheduleReported InvoiceReported InvoicePaymentReported
            PaymentIntentReported ChargeReported RefundReported DisputeReported
            CheckoutSessionReported CustomerReported PriceReported ProductReported
        ])
    };
}

/// Where an event contradicts the one before it: what the object was by that one (`expected`;
/// without one there should be no object), and what the event says it was (`seen`). Empty if they
/// agree or the event doesn't say: then there is no gap either.
///
/// Of the end of a customer, `previous` is the last event of a subscription of it that hasn't
/// ended: `expected` is the status there, and `canceled` is seen, since Stripe ends them together.
#[must_use]
pub fn difference(previous: Option<&Event>, event: &Event) -> Vec<Difference> {
    if let (Some(Event::SubscriptionReported(last)), Event::CustomerReported(_)) = (previous, event)
    {
        return vec![Difference::new("status", last.snapshot.status.as_str(), "canceled")];
    }
    of_one_kind!(event, previous, contradiction)
}

/// Where two events that can't be told apart in time leave their object differently: as the first
/// one has it (`expected`), and as the second one has it (`seen`).
#[must_use]
pub fn disagreement(first: &Event, second: &Event) -> Vec<Difference> {
    of_one_kind!(second, Some(first), divergence)
}

fn contradiction<S: Snapshot>(
    previous: Option<&Reported<S>>,
    reported: &Reported<S>,
) -> Vec<Difference> {
    let expected = previous.map(|previous| &previous.snapshot);
    match earlier(reported) {
        Earlier::Something if expected.is_none() => differences(None, Some(&reported.snapshot)),
        Earlier::Unknown | Earlier::Something => Vec::new(),
        Earlier::Nothing => differences(expected, None),
        Earlier::Object(seen) => differences(expected, Some(&*seen)),
    }
}

fn divergence<S: Snapshot>(first: Option<&Reported<S>>, second: &Reported<S>) -> Vec<Difference> {
    first.map_or_else(Vec::new, |first| differences(Some(&first.snapshot), Some(&second.snapshot)))
}
