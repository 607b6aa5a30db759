//! Subscription schedules: the only place where a planned change of price can be seen.

use super::super::shape::shapes;
use super::REFERENCE;
use super::catalogue::{COUPON, DISCOUNT, PLAN, PRICE};
use super::customer::CUSTOMER;
use super::subscription::{BILLING_MODE, PAUSE_COLLECTION, SUBSCRIPTION};

shapes! {
    /// `/api/subscription_schedules/object`
    SUBSCRIPTION_SCHEDULE {
        billing: Code,
        billing_mode: Object(&BILLING_MODE),
        canceled_at: Int,
        completed_at: Int,
        created: Int,
        current_phase: Object(&CURRENT_PHASE),
        customer: Link(&CUSTOMER),
        customer_account: Id,
        default_settings: Object(&DEFAULT_SETTINGS),
        end_behavior: Code,
        id: Id,
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        pause_schedules: List(&Object(&PAUSE_SCHEDULE)),
        phases: List(&Object(&PHASE)),
        released_at: Int,
        released_subscription: Link(&SUBSCRIPTION),
        renewal_behavior: Code,
        status: Code,
        subscription: Link(&SUBSCRIPTION),
        test_clock: Link(&REFERENCE),
    }

    CURRENT_PHASE {
        end_date: Int,
        start_date: Int,
    }

    DEFAULT_SETTINGS {
        billing_cycle_anchor: Code,
        collection_method: Code,
    }

    /// `plans` is what `items` was called before 2020-08-27.
    PHASE {
        add_invoice_items: List(&Object(&PHASE_ITEM)),
        billing_cycle_anchor: Code,
        collection_method: Code,
        coupon: Link(&COUPON),
        currency: Code,
        discounts: List(&Object(&PHASE_DISCOUNT)),
        end_date: Int,
        items: List(&Object(&PHASE_ITEM)),
        metadata: Metadata,
        pause_collection: Object(&PAUSE_COLLECTION),
        plans: List(&Object(&PHASE_ITEM)),
        proration_behavior: Code,
        start_date: Int,
        tax_percent: Number,
        trial_end: Int,
    }

    PHASE_ITEM {
        discounts: List(&Object(&PHASE_DISCOUNT)),
        metadata: Metadata,
        plan: Link(&PLAN),
        price: Link(&PRICE),
        quantity: Int,
    }

    PHASE_DISCOUNT {
        coupon: Link(&COUPON),
        discount: Link(&DISCOUNT),
        promotion_code: Link(&REFERENCE),
    }

    /// `/billing/subscriptions/pause/schedules`
    PAUSE_SCHEDULE {
        key: Id,
        pause: Object(&PAUSE),
        resume: Object(&RESUME),
    }

    PAUSE {
        pause_at: Int,
        settings: Object(&PAUSE_SETTINGS),
        status: Object(&PAUSE_STATUS),
    }

    PAUSE_SETTINGS {
        bill_for: Object(&PAUSE_BILL_FOR),
        invoicing_behavior: Code,
        type: Code,
    }

    PAUSE_BILL_FOR {
        outstanding_usage_through: Object(&PAUSE_BILL_POINT),
        unused_time_from: Object(&PAUSE_BILL_POINT),
    }

    PAUSE_BILL_POINT {
        type: Code,
    }

    /// Without `error`, which has a message.
    PAUSE_STATUS {
        type: Code,
    }

    RESUME {
        resume_at: Int,
        settings: Object(&RESUME_SETTINGS),
        status: Object(&PAUSE_STATUS),
    }

    RESUME_SETTINGS {
        billing_cycle_anchor: Code,
        payment_behavior: Code,
        proration_behavior: Code,
    }
}
