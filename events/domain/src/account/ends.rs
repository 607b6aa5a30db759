//! Ends of subscriptions that nothing told of but the end of their customer.

use std::collections::BTreeSet;

use super::anomaly::FactAnomaly;
use super::customer::{CustomerChanges, CustomerUnit};
use super::landmarks::Mark;
use super::part::{Part, part_name};

impl CustomerUnit {
    /// Stripe ends all subscriptions of a customer that is deleted: of one that isn't over, the
    /// event of its end is missing.
    pub(super) fn add_missing_ends(
        &self,
        touched: &BTreeSet<String>,
        changes: &mut CustomerChanges,
    ) {
        let own = part_name("customer", &self.customer);
        let Some(Part::Customer(facts)) = self.parts.get(&own) else { return };
        let Some(deleted) = facts.last(Mark::Over).map(|place| &facts.all()[place].key) else {
            return;
        };
        let concerned: Vec<&String> = if touched.contains(&own) {
            self.parts.keys().collect()
        } else {
            touched.iter().collect()
        };
        for name in concerned {
            let Part::Subscription(facts) = &self.parts[name] else { continue };
            let told = changes.anomalies.iter_mut().find(|(subject, _)| subject == name);
            let anomalies = match told {
                Some((_, anomalies)) => anomalies,
                None => {
                    changes.anomalies.push((name.clone(), facts.anomalies()));
                    &mut changes.anomalies.last_mut().expect("it was pushed").1
                }
            };
            if let Some((last, _)) = facts.current().filter(|(last, _)| !last.is_final) {
                let gap = FactAnomaly::GapSuspected(deleted.clone(), Some(last.key.clone()));
                anomalies.push(gap);
            }
        }
    }
}
