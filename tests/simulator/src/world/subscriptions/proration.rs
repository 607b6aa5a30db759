//! What a change in the middle of a period gives back and asks for, to the second.

use super::super::World;
use super::super::invoices::Line;
use super::super::template::{integer, text};
use super::{Item, Subscription};

impl World {
    /// Lines that charge items for a whole period, or name them for free.
    pub(super) fn period_lines(
        &mut self,
        items: &[Item],
        period: (i64, i64),
        free: bool,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        for item in items {
            let price = text(&item.price, "id");
            let description = if free {
                format!("Trial period for {price}")
            } else {
                format!("{} × {price}", item.quantity)
            };
            lines.push(Line {
                id: self.ids.next("il"),
                amount: if free { 0 } else { amount_of(item) },
                description,
                period,
                price: item.price.clone(),
                quantity: item.quantity,
                item: item.id.clone(),
                in_part: false,
                invoice_item: None,
            });
        }
        lines
    }

    /// What the rest of the current period costs less, and more, with other items. Where a new
    /// period begins all is given back, since that period is charged as a whole.
    pub(super) fn prorations(
        &mut self,
        of: &Subscription,
        items: &[Item],
        now: i64,
        begins: bool,
    ) -> Vec<Line> {
        // A trial that has just been ended was free, and so nothing of it is given back.
        let was_trial = of.trial.is_some_and(|trial| trial.0 == of.period.0);
        let charged = of.is_billed() && !was_trial && !of.is_unbilled();
        let (rest, whole) = (of.period.1 - now, of.whole_period());
        if !charged || rest <= 0 || whole <= 0 {
            return Vec::new();
        }
        let same = |item: &Item, others: &[Item]| {
            others.iter().any(|other| {
                other.id == item.id
                    && other.price["id"] == item.price["id"]
                    && other.quantity == item.quantity
            })
        };
        let mut lines = Vec::new();
        for item in of.items.iter().filter(|item| begins || !same(item, items)) {
            let part = share(amount_of(item), rest, whole);
            lines.push(self.proration(item, -part, "Unused time on", (now, of.period.1)));
        }
        for item in items.iter().filter(|item| !begins && !same(item, &of.items)) {
            let part = share(amount_of(item), rest, whole);
            lines.push(self.proration(item, part, "Remaining time on", (now, of.period.1)));
        }
        lines
    }

    fn proration(&mut self, item: &Item, amount: i64, what: &str, period: (i64, i64)) -> Line {
        Line {
            id: self.ids.next("il"),
            amount,
            description: format!("{what} {}", text(&item.price, "id")),
            period,
            price: item.price.clone(),
            quantity: item.quantity,
            item: item.id.clone(),
            in_part: true,
            invoice_item: None,
        }
    }
}

/// What an item costs for a period.
pub(in super::super) fn amount_of(item: &Item) -> i64 {
    integer(&item.price, "unit_amount").saturating_mul(item.quantity)
}

/// A part of an amount, rounded half up.
pub(super) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let (amount, part, whole) = (i128::from(amount), i128::from(part), i128::from(whole));
    let rounded = (2 * amount * part + whole) / (2 * whole);
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn half_a_unit_is_rounded_up() {
        assert_eq!(share(1_999, 1, 2), 1_000);
        assert_eq!(share(1_000, 1, 3), 333);
        assert_eq!(share(1_000, 2, 3), 667);
        assert_eq!(share(1_000, 5, 5), 1_000);
    }
}
