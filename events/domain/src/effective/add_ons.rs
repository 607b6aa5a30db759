//! The add-ons that a trainer holds beside the tier. Nothing about a tier touches them.

use super::HeldAddOn;
use super::held::{Everything, Held};
use crate::catalog::Catalog;

/// The live add-ons in the catalogue's order; of each, what serves the trainer best.
pub(super) fn add_ons(all: &Everything<'_>, catalog: &Catalog, suspended: bool) -> Vec<HeldAddOn> {
    let best = |slug| all.held.iter().find(|held| held.plan.slug() == slug);
    let held = catalog.add_ons().iter().filter_map(|plan| best(plan.slug()));
    held.filter(|held| held.standing.is_live()).map(|held| shown(held, suspended)).collect()
}

fn shown(held: &Held<'_>, suspended: bool) -> HeldAddOn {
    let (access, locked_by) = held.access(suspended);
    let view = held.subscription();
    HeldAddOn {
        slug: held.plan.slug().clone(),
        status: held.status(),
        access,
        locked_by,
        interval: held.interval,
        since: held.since,
        current_period_end: view.and_then(|view| view.current_period).map(|period| period.until),
        cancel_at: view.and_then(|view| view.cancel_at),
        source: held.source(),
        event: held.event(),
    }
}
