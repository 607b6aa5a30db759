//! The committed schemas of events, as part of the program.

macro_rules! schemas {
    ($($name:literal)*) => {
        /// Each schema by the name of its file without its ending: `<Type>.v<version>`, or
        /// `Metadata`, which has no versions.
        pub(super) const SCHEMAS: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/events/domain/schemas/",
                $name,
                ".json"
            )),
        ),)*];
    };
}

schemas! {
    "CatalogPublished.v1"
    "ChargeReported.v1"
    "CheckoutSessionReported.v1"
    "CustomerLinked.v1"
    "CustomerReported.v1"
    "DisputeReported.v1"
    "EnforcementChanged.v1"
    "EntitlementSummaryReported.v1"
    "IdReuseSeen.v1"
    "InvoicePaymentReported.v1"
    "InvoiceReported.v1"
    "LogOpened.v1"
    "Metadata"
    "OverrideGranted.v1"
    "OverrideRevoked.v1"
    "PaymentIntentReported.v1"
    "PriceReported.v1"
    "ProductReported.v1"
    "RefundReported.v1"
    "ReservationCommitted.v1"
    "ReservationReleased.v1"
    "ScheduleReported.v1"
    "StripeEventRecorded.v1"
    "SubscriptionReported.v1"
    "TierAssigned.v1"
    "TierAssignmentRevoked.v1"
    "TierGrandfathered.v1"
    "TrainerRegistered.v1"
    "TrainerReinstated.v1"
    "TrainerSuspended.v1"
    "UsageConsumed.v1"
    "UsageRecorded.v1"
    "UsageReleased.v1"
    "UsageReserved.v1"
}

/// The schema of a type in a version; without one, in the newest.
pub(super) fn schema_of(event_type: &str, version: Option<i32>) -> Option<&'static str> {
    let versions = SCHEMAS.iter().filter_map(|(name, schema)| {
        let (name, of) = name.split_once(".v").unwrap_or((name, "1"));
        Some((name, of.parse::<i32>().ok()?, *schema))
    });
    versions
        .filter(|(name, of, _)| *name == event_type && version.is_none_or(|version| *of == version))
        .max_by_key(|(_, of, _)| *of)
        .map(|(_, _, schema)| schema)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledger_domain::event::TYPES;

    use super::*;

    #[test]
    fn every_version_of_every_type_can_be_shown() {
        let all = TYPES.iter().flat_map(|(name, current)| {
            (1..=*current).map(move |version| format!("{name}.v{version}"))
        });
        let all: BTreeSet<String> = all.chain(["Metadata".to_owned()]).collect();
        let have: BTreeSet<String> = SCHEMAS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(have, all);
    }
}
