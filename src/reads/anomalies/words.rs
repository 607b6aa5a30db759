//! An anomaly in a sentence or two, and what to do about it.

use ledger_domain::account::Difference;
use ledger_domain::id::EventId;

use super::Object;

/// What a person reads of an anomaly.
pub(super) struct Words {
    pub(super) message: String,
    pub(super) what_to_do: String,
}

impl Words {
    pub(super) fn new(message: String, what_to_do: &str) -> Self {
        Self { message, what_to_do: what_to_do.to_owned() }
    }
}

const RESEND: &str = "Look the object's events up at Stripe and resend those that the ledger \
    lacks; this entry goes away with the missing one. If Stripe has no other event either, compare \
    the object at Stripe with what is seen here.";
const COMPARE: &str = "Compare the object at Stripe with both. If it is as seen here, the ledger \
    has it right; if it is as expected here, the next event about the object will put it right.";
const STEP: &str = "Most likely an event between the two is missing: look the subscription's \
    events up at Stripe and resend those that the ledger lacks. Until then Stripe's last word \
    counts.";
const ENDED: &str = "The ledger keeps the subscription as ended: at Stripe none comes back. Compare \
    it at Stripe. If it has ended there, the ledger has it right. If it runs there, look which of \
    the two events Stripe doesn't have: whoever sent that one knows the signing secret.";
const LINK: &str = "The later word counts, and metadata that only stay as they are say nothing new. \
    If it is wrong, set `trainer_id` in the customer's metadata at Stripe to the right trainer.";
const OWNER: &str = "Look the object up at Stripe. Objects there don't change their customer: if \
    one of the two is wrong, something else than Stripe made that event. A later event that names \
    the customer by whom it is kept takes this entry away.";
const FOREIGN: &str = "It grants nothing. Look at which of Stripe's webhook endpoints send here: \
    each account and mode needs a tenant of its own.";
const REUSED: &str = "The first content counts. Stripe gives no id twice, and whoever sent this \
    knows the signing secret: if it wasn't you, roll the secret at Stripe.";

/// What to say of an anomaly of facts: of an event, and of the other one that it doesn't fit.
pub(super) fn words(
    kind: &str,
    subject: &Object,
    (event, other): (&EventId, Option<&EventId>),
    differences: &[Difference],
) -> Words {
    let about = format!("{} {}", subject.kind.replace('_', " "), subject.id);
    let other = other.map_or("an earlier event", EventId::as_str);
    match kind {
        "gap_suspected" => Words::new(gap(&about, event, other, differences), RESEND),
        "order_conflict" => Words::new(
            format!(
                "Nothing tells for certain that {event} about {about} came after {other}: they \
                 are of one second, or one of them tells once more of something earlier."
            ),
            COMPARE,
        ),
        "unexpected_transition" => {
            let step = differences.first().map(|difference| {
                let before = difference.expected[0].as_str().unwrap_or("its status");
                let after = difference.seen.as_str().unwrap_or("another");
                format!(
                    "{about} went from {before} to {after} ({event}): Stripe knows no such step."
                )
            });
            let short = || format!("{event} tells of a step of {about} that Stripe doesn't know.");
            // Nothing follows an end.
            let is_over = |it: &Difference| it.expected.as_array().is_some_and(|it| it.len() == 1);
            let is_over = differences.first().is_some_and(is_over);
            Words::new(step.unwrap_or_else(short), if is_over { ENDED } else { STEP })
        }
        "conflicting_link" => {
            let trainer = |pick: fn(&Difference) -> &serde_json::Value| {
                let named = differences.first().and_then(|difference| pick(difference).as_str());
                named.map_or_else(|| "another trainer".to_owned(), |id| format!("trainer {id}"))
            };
            let (was, is) = (trainer(|it| &it.expected), trainer(|it| &it.seen));
            let id = &subject.id;
            let message =
                format!("{other} says that customer {id} is {was}, {event} that it is {is}.");
            Words::new(message, LINK)
        }
        "conflicting_customer" => {
            let customer = |pick: fn(&Difference) -> &serde_json::Value| {
                let named = differences.first().and_then(|difference| pick(difference).as_str());
                named.map_or_else(|| "another".to_owned(), str::to_owned)
            };
            let (kept, named) = (customer(|it| &it.expected), customer(|it| &it.seen));
            let message = format!(
                "{event} says that {about} is of customer {named}; by other events it is kept \
                 with customer {kept}."
            );
            Words::new(message, OWNER)
        }
        "foreign" => {
            Words::new(format!("{event} is of another account or mode than this ledger."), FOREIGN)
        }
        "id_reused" => {
            Words::new(format!("The id {other} came a second time, with another content."), REUSED)
        }
        _ => Words::new(format!("{event} about {about} is odd: {kind}."), RESEND),
    }
}

fn gap(about: &str, event: &EventId, other: &str, differences: &[Difference]) -> String {
    let all = |is_null: fn(&Difference) -> bool| differences.iter().all(is_null);
    if differences.is_empty() {
        format!("An event about {about} is missing before {event}.")
    } else if all(|it| it.expected.is_null()) {
        format!(
            "{event} changes {about}, of which no event told before: at least the one that tells \
             of its creation is missing."
        )
    } else if all(|it| it.seen.is_null()) {
        format!("{event} says that {about} was created, and {other} told of it before.")
    } else {
        let fields: Vec<&str> = differences.iter().map(|it| &*it.field).collect();
        let fields = fields.join(", ");
        format!(
            "An event about {about} is missing between {other} and {event}: they disagree about \
             {fields}."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_domain::account::next_statuses;
    use serde_json::{Value, json};

    fn message(kind: &str, differences: &[Difference]) -> String {
        let subject = Object { kind: "payment_intent".into(), id: "pi_1".into() };
        let id = |id: &str| EventId::try_new(id).unwrap();
        words(kind, &subject, (&id("evt_2"), Some(&id("evt_1"))), differences).message
    }

    #[test]
    fn a_gap_says_what_is_known_of_it() {
        let differing = |expected: Value, seen: Value| [Difference::new("status", expected, seen)];
        let told = message("gap_suspected", &differing(json!("active"), json!("paused")));
        assert!(told.contains("between evt_1 and evt_2") && told.contains("status"), "{told}");
        let told = message("gap_suspected", &differing(Value::Null, json!("paused")));
        assert!(told.contains("payment intent pi_1, of which no event told before"), "{told}");
        let told = message("gap_suspected", &differing(json!("active"), Value::Null));
        assert!(told.contains("was created, and evt_1 told of it before"), "{told}");
    }

    #[test]
    fn what_follows_an_end_is_not_said_to_count() {
        let subject = Object { kind: "subscription".into(), id: "sub_1".into() };
        let id = |id: &str| EventId::try_new(id).unwrap();
        let advice = |before: &str, after: &str| {
            let expected: Vec<&str> =
                [before].into_iter().chain(next_statuses(before).iter().copied()).collect();
            let differences = [Difference::new("status", expected, after)];
            let events = (id("evt_2"), id("evt_1"));
            let events = (&events.0, Some(&events.1));
            words("unexpected_transition", &subject, events, &differences).what_to_do
        };
        assert!(advice("active", "unpaid").contains("Stripe's last word counts"));
        for over in ["canceled", "incomplete_expired"] {
            let advice = advice(over, "active");
            assert!(advice.contains("ended") && !advice.contains("last word"), "{advice}");
        }
    }

    #[test]
    fn whatever_is_missing_a_sentence_comes_out() {
        for kind in super::super::OF_FACTS.into_iter().chain(["of a later program"]) {
            for differences in [&[][..], &[Difference::new("x", Value::Null, 1)]] {
                let told = message(kind, differences);
                assert!(told.ends_with('.') && !told.contains("null"), "{kind}: {told}");
            }
        }
    }
}
