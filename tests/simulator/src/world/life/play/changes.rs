//! The calls that change a subscription.

use serde_json::{Value, json};

use super::super::super::Method;
use super::super::super::template::{integer, text};
use super::super::{CARDS, PRICES, Step};
use super::{Player, named, of};

const DAY: i64 = 86_400;

impl Player {
    /// A step that changes one of the subscriptions.
    pub(super) fn subscription(&mut self, step: Step) -> Option<Value> {
        let number = match step {
            Step::Change { subscription, .. }
            | Step::Schedule { subscription, .. }
            | Step::Release { subscription }
            | Step::CancelAtEnd { subscription, .. }
            | Step::CancelAt { subscription, .. }
            | Step::Cancel { subscription }
            | Step::Pause { subscription, .. }
            | Step::Resume { subscription, .. }
            | Step::Trial { subscription, .. }
            | Step::Items { subscription, .. }
            | Step::Assign { subscription, .. }
            | Step::Label { subscription, .. } => subscription,
            _ => return None,
        };
        // Few are paused, so that one of any would hardly ever be one that can go on.
        let fits = |one: &Value| !matches!(step, Step::Resume { .. }) || one["status"] == "paused";
        let chosen = self.pick("subscription", number, fits)?;
        let now = self.world.present(text(&chosen, "customer"));
        let path = format!("subscriptions/{}", text(&chosen, "id"));
        let form = match step {
            Step::Change { price, billing, behavior, .. } => {
                let billings = ["create_prorations", "always_invoice", "none"];
                let behaviors = ["allow_incomplete", "pending_if_incomplete", "default_incomplete"];
                json!({
                    "items": [{ "id": chosen["items"]["data"][0]["id"],
                        "price": of(&PRICES, price).0 }],
                    "proration_behavior": of(&billings, billing),
                    "payment_behavior": of(&behaviors, behavior),
                })
            }
            Step::Schedule { price, form, .. } => return self.schedule(&chosen, price, form),
            Step::Release { .. } => {
                let schedule = text(&chosen, "schedule");
                let path = format!("subscription_schedules/{schedule}/release");
                return self.post(&path, &json!({}));
            }
            Step::CancelAtEnd { on, .. } => json!({ "cancel_at_period_end": on }),
            Step::Cancel { .. } => return self.call(Method::Delete, &path, &json!({})),
            Step::CancelAt { days: 0, .. } => json!({ "cancel_at": "" }),
            Step::CancelAt { days, .. } => json!({ "cancel_at": now + i64::from(days) * DAY }),
            Step::Pause { on: true, how, .. } => json!({ "pause_collection": pause(how, now) }),
            Step::Pause { .. } => json!({ "pause_collection": "" }),
            Step::Resume { card, .. } => {
                self.set_card(text(&chosen, "customer"), of(&CARDS, card));
                return self.post(&format!("{path}/resume"), &json!({}));
            }
            Step::Trial { days: 0, .. } => json!({ "trial_end": "now" }),
            Step::Trial { days, .. } => json!({ "trial_end": now + i64::from(days) * DAY }),
            Step::Items { price, how, .. } => json!({ "items": [item(&chosen, price, how)?] }),
            Step::Assign { trainer, .. } => {
                json!({ "metadata": { "trainer_id": named(trainer) } })
            }
            Step::Label { value, .. } => json!({ "metadata": { "label": value.to_string() } }),
            _ => return None,
        };
        self.post(&path, &form)
    }

    /// A schedule from what there is now on.
    fn schedule(&mut self, subscription: &Value, price: u8, form: u8) -> Option<Value> {
        let new = json!({ "from_subscription": subscription["id"] });
        let schedule = self.post("subscription_schedules", &new)?;
        let now = &schedule["phases"][0];
        let kept = now["items"].as_array()?.iter();
        let kept: Vec<Value> = kept
            .map(|item| json!({ "price": item["price"], "quantity": item["quantity"] }))
            .collect();
        let (start, end) = (integer(now, "start_date"), integer(now, "end_date"));
        let first = |end: i64| json!({ "items": kept, "start_date": start, "end_date": end });
        let at = |price: u8| json!([{ "price": of(&PRICES, price).0 }]);
        let next = json!({ "items": at(price), "proration_behavior": "none" });
        let today = self.world.present(text(subscription, "customer"));
        let form = match form % 8 {
            0..=2 => json!({ "phases": [first(end), next] }),
            3 => json!({ "phases": [first(end), next], "end_behavior": "cancel" }),
            4 => json!({ "phases": [first(end)], "end_behavior": "cancel" }),
            5 => {
                let twice = json!({ "items": at(price), "iterations": 2 });
                let last = json!({ "items": at(price.wrapping_add(1)) });
                json!({ "phases": [first(end), twice, last] })
            }
            // Within the period, which bills the difference.
            6 => json!({ "phases": [first(today + (end - today) / 2), { "items": at(price) }] }),
            _ => json!({ "phases": [first(today + DAY), next], "end_behavior": "cancel" }),
        };
        self.post(&format!("subscription_schedules/{}", text(&schedule, "id")), &form)
    }
}

/// One of the three ways to pause collection, in a quarter of all cases until a day.
fn pause(how: u8, now: i64) -> Value {
    let behavior = of(&["void", "mark_uncollectible", "keep_as_draft"], how);
    let resumes_at = (how % 16 > 11).then(|| now + (i64::from(how) + 1) * DAY);
    match resumes_at {
        None => json!({ "behavior": behavior }),
        Some(at) => json!({ "behavior": behavior, "resumes_at": at }),
    }
}

/// Another item, or the last one no more, or another number of the first.
fn item(subscription: &Value, price: u8, how: u8) -> Option<Value> {
    let items = subscription["items"]["data"].as_array()?;
    Some(match how % 3 {
        0 => json!({ "price": of(&PRICES, price).0 }),
        1 => json!({ "id": items.last()?["id"], "deleted": true }),
        _ => json!({ "id": items.first()?["id"], "quantity": price % 4 + 1 }),
    })
}
