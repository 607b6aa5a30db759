//! Which status a subscription may have after which, by
//! <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>, and by
//! <https://docs.stripe.com/billing/subscriptions/billing-cycle>: one that exists can be given a
//! trial, which moves its billing.
//!
//! Another one is taken as it comes: Stripe is right about its own objects. It is listed all the
//! same, since it may mean that an event is missing which no event after it tells of.

/// The statuses that Stripe gives a subscription, each with those that may follow it.
const NEXT: [(&str, &[&str]); 8] = [
    ("incomplete", &["active", "incomplete_expired"]),
    ("incomplete_expired", &[]),
    ("trialing", &["active", "past_due", "paused", "canceled"]),
    ("active", &["trialing", "past_due", "canceled", "paused"]),
    ("past_due", &["trialing", "active", "unpaid", "canceled", "paused"]),
    ("unpaid", &["active", "canceled"]),
    ("paused", &["active", "past_due", "canceled"]),
    ("canceled", &[]),
];

/// The statuses that may follow one; none after one that ends a subscription, nor after one that
/// this ledger doesn't know.
#[must_use]
pub fn next_statuses(status: &str) -> &'static [&'static str] {
    NEXT.iter().find(|(known, _)| *known == status).map_or(&[], |(_, next)| *next)
}

/// Every status that this ledger knows.
pub fn statuses() -> impl Iterator<Item = &'static str> {
    NEXT.iter().map(|(status, _)| *status)
}

/// Whether one status may follow another. Nothing is expected of a status that nobody knows.
pub(super) fn is_expected(before: &str, after: &str) -> bool {
    let is_known = || NEXT.iter().any(|(known, _)| *known == before);
    before == after || next_statuses(before).contains(&after) || !is_known()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        for status in ["canceled", "incomplete_expired"] {
            assert!(NEXT.iter().all(|(next, _)| *next == status || !is_expected(status, next)));
            assert!(is_expected(status, status));
        }
        assert!(is_expected("past_due", "active") && !is_expected("active", "unpaid"));
        assert!(is_expected("active", "trialing") && is_expected("past_due", "trialing"));
        assert!(!is_expected("active", "hibernating") && is_expected("hibernating", "active"));
    }

    #[test]
    fn only_statuses_of_the_table_are_expected() {
        let all = NEXT.iter().flat_map(|(_, next)| *next);
        assert!(all.into_iter().all(|next| NEXT.iter().any(|(known, _)| known == next)));
    }
}
