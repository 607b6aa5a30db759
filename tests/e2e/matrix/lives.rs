//! What can have become of a subscription, and what the ledger then says of it.

use crate::bodies::{DAY, Price, Story};

const HOUR: i64 = 3_600;

/// A story that may be told with any tier.
pub(super) struct Life {
    pub(super) name: &'static str,
    /// How many seconds ago it began.
    pub(super) ago: i64,
    pub(super) tell: fn(&mut Story, Price),
    pub(super) status: &'static str,
    pub(super) access: &'static str,
    /// What the tier's features are denied with; none where they are granted.
    pub(super) code: Option<&'static str>,
}

/// A name, how long ago it began, what happened; status, access, and the code of denials.
const fn life(
    (name, ago, tell): (&'static str, i64, fn(&mut Story, Price)),
    (status, access, code): (&'static str, &'static str, Option<&'static str>),
) -> Life {
    Life { name, ago, tell, status, access, code }
}

const INACTIVE: Option<&str> = Some("subscription_inactive");

pub(super) const LIVES: [Life; 18] = [
    life(("never-came", HOUR, |_, _| ()), ("none", "none", Some("feature_not_available"))),
    life(("tries", 5 * DAY, try_out), ("trialing", "granted", None)),
    life(("tried", 14 * DAY + 12 * HOUR, try_out), ("trialing", "granted", None)),
    life(
        ("tried-long-ago", 15 * DAY + HOUR, try_out),
        ("trialing", "locked", Some("trial_expired")),
    ),
    life(("gave-up", 14 * DAY + 12 * HOUR, give_up_the_trial), ("canceled", "none", INACTIVE)),
    life(("bought", 3 * DAY, buy), ("active", "granted", None)),
    life(("renewed", 33 * DAY, renew), ("active", "granted", None)),
    life(("owes", 32 * DAY, fail_to_pay), ("past_due", "grace", None)),
    life(("owes-for-long", 38 * DAY, fail_to_pay), ("past_due", "locked", INACTIVE)),
    life(("ordered", HOUR, order), ("incomplete", "locked", INACTIVE)),
    life(("never-paid", 2 * DAY, never_pay), ("incomplete_expired", "none", INACTIVE)),
    life(("owes-for-good", 60 * DAY, stop_paying), ("unpaid", "locked", INACTIVE)),
    life(("pauses", 20 * DAY, pause), ("paused", "locked", INACTIVE)),
    life(("is-leaving", 4 * DAY, leave), ("active", "granted", None)),
    life(("left-unsaid", 40 * DAY, leave), ("canceled", "none", INACTIVE)),
    life(("left", 40 * DAY, leave_as_is_told), ("canceled", "none", INACTIVE)),
    life(("was-cut-off", 4 * DAY, cut_off), ("canceled", "none", INACTIVE)),
    life(("came-back", 4 * DAY, come_back), ("active", "granted", None)),
];

fn try_out(story: &mut Story, price: Price) {
    story.try_out(price, 14);
}

fn give_up_the_trial(story: &mut Story, price: Price) {
    story.try_out(price, 14).pass(DAY).cancel_at_period_end(true);
}

fn buy(story: &mut Story, price: Price) {
    story.purchase(price);
}

fn renew(story: &mut Story, price: Price) {
    story.purchase(price).renew();
}

fn fail_to_pay(story: &mut Story, price: Price) {
    story.purchase(price).renewal_fails();
}

fn stop_paying(story: &mut Story, price: Price) {
    story.purchase(price).renewal_fails().pass(20 * DAY).becomes("unpaid");
}

fn order(story: &mut Story, price: Price) {
    story.order(price);
}

fn never_pay(story: &mut Story, price: Price) {
    story.order(price).pass(DAY).becomes("incomplete_expired");
}

/// A trial ends, and there is nothing to pay with.
fn pause(story: &mut Story, price: Price) {
    story.try_out(price, 14).pass(14 * DAY).becomes("paused");
}

fn leave(story: &mut Story, price: Price) {
    story.purchase(price).pass(DAY).cancel_at_period_end(true);
}

fn leave_as_is_told(story: &mut Story, price: Price) {
    leave(story, price);
    story.now = story.tier().period.1;
    story.cancel_now();
}

fn cut_off(story: &mut Story, price: Price) {
    story.purchase(price).pass(DAY).cancel_now();
}

fn come_back(story: &mut Story, price: Price) {
    story.purchase(price).pass(DAY).cancel_now().pass(DAY).purchase(price);
}
