//! Subscription schedules.

use ledger_domain::event::stripe::{Phase, PhaseBounds, PhaseItem, Schedule};

use super::catalogue::item_price_id;
use super::read::{Missing, View, code, id_of, int, link, list, metadata, need, need_int, within};

/// `/api/subscription_schedules/object`
pub(super) fn schedule(node: View<'_>, _cause: &str) -> Result<Schedule, Missing> {
    let bounds = |phase: View<'_>| {
        let (end_date, start_date) = (int(phase, "end_date")?, int(phase, "start_date")?);
        Ok(end_date
            .zip(start_date)
            .map(|(end_date, start_date)| PhaseBounds { end_date, start_date }))
    };
    Ok(Schedule {
        canceled_at: int(node, "canceled_at")?,
        completed_at: int(node, "completed_at")?,
        created: int(node, "created")?,
        current_phase: within(node, &["current_phase"], bounds)?.flatten(),
        customer: link(node, "customer"),
        // Called `renewal_behavior` until 2019-10-17.
        end_behavior: code(node, "end_behavior").or_else(|| code(node, "renewal_behavior")),
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        phases: list(node, "phases", phase)?,
        released_at: int(node, "released_at")?,
        released_subscription: link(node, "released_subscription"),
        status: need(code(node, "status"), "status")?,
        subscription: link(node, "subscription"),
        test_clock: link(node, "test_clock"),
    })
}

fn phase(node: View<'_>) -> Result<Phase, Missing> {
    // Called `plans` until 2020-08-27.
    let items = if node.get("items").is_some() { "items" } else { "plans" };
    Ok(Phase {
        end_date: int(node, "end_date")?,
        items: list(node, items, phase_item)?,
        start_date: need_int(node, "start_date")?,
        trial_end: int(node, "trial_end")?,
    })
}

fn phase_item(node: View<'_>) -> Result<PhaseItem, Missing> {
    let price = need(item_price_id(node), "price")?;
    Ok(PhaseItem { price, quantity: int(node, "quantity")? })
}
