//! Subscriptions and their items.

use super::super::shape::shapes;
use super::REFERENCE;
use super::catalogue::{DISCOUNT, PLAN, PRICE};
use super::customer::CUSTOMER;
use super::invoice::INVOICE;
use super::payment::{PAYMENT_METHOD, SETUP_INTENT};
use super::schedule::{PAUSE_SCHEDULE, SUBSCRIPTION_SCHEDULE};

shapes! {
    /// `/api/subscriptions/object`
    SUBSCRIPTION {
        billing: Code,
        billing_cycle_anchor: Int,
        billing_cycle_anchor_config: Object(&ANCHOR_CONFIG),
        billing_mode: Object(&BILLING_MODE),
        cancel_at: Int,
        cancel_at_period_end: Flag,
        canceled_at: Int,
        cancellation_details: Object(&CANCELLATION),
        collection_method: Code,
        created: Int,
        currency: Code,
        current_period_end: Int,
        current_period_start: Int,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        days_until_due: Int,
        default_payment_method: Link(&PAYMENT_METHOD),
        default_source: Link(&PAYMENT_METHOD),
        discount: Object(&DISCOUNT),
        discounts: List(&Link(&DISCOUNT)),
        ended_at: Int,
        id: Id,
        items: Page(&List(&Object(&SUBSCRIPTION_ITEM))),
        latest_invoice: Link(&INVOICE),
        livemode: Flag,
        metadata: Metadata,
        next_pending_invoice_item_invoice: Int,
        object: Code,
        pause_collection: Object(&PAUSE_COLLECTION),
        pause_schedules: List(&Object(&PAUSE_SCHEDULE)),
        pending_setup_intent: Link(&SETUP_INTENT),
        pending_update: Object(&PENDING_UPDATE),
        plan: Link(&PLAN),
        quantity: Int,
        schedule: Link(&SUBSCRIPTION_SCHEDULE),
        start: Int,
        start_date: Int,
        status: Code,
        status_details: Object(&STATUS_DETAILS),
        tax_percent: Number,
        test_clock: Link(&REFERENCE),
        trial_end: Int,
        trial_settings: Object(&TRIAL_SETTINGS),
        trial_start: Int,
    }

    /// `/api/subscription_items/object`
    SUBSCRIPTION_ITEM {
        created: Int,
        current_period_end: Int,
        current_period_start: Int,
        deleted: Flag,
        discounts: List(&Link(&DISCOUNT)),
        id: Id,
        metadata: Metadata,
        object: Code,
        plan: Link(&PLAN),
        price: Link(&PRICE),
        quantity: Int,
        subscription: Link(&SUBSCRIPTION),
    }

    ANCHOR_CONFIG {
        day_of_month: Int,
        hour: Int,
        minute: Int,
        month: Int,
        second: Int,
    }

    BILLING_MODE {
        flexible: Object(&FLEXIBLE_BILLING),
        type: Code,
        updated_at: Int,
    }

    FLEXIBLE_BILLING {
        proration_discounts: Code,
    }

    /// Without `comment`, which the customer writes.
    CANCELLATION {
        feedback: Code,
        reason: Code,
    }

    PAUSE_COLLECTION {
        behavior: Code,
        resumes_at: Int,
    }

    /// `/billing/subscriptions/pending-updates`
    PENDING_UPDATE {
        billing_cycle_anchor: Int,
        discount: Object(&DISCOUNT),
        discounts: List(&Link(&DISCOUNT)),
        expires_at: Int,
        metadata: Metadata,
        subscription_items: List(&Object(&SUBSCRIPTION_ITEM)),
        trial_end: Int,
        trial_from_plan: Flag,
    }

    /// `/changelog/endive/2026-09-30/pause-subscription`
    STATUS_DETAILS {
        paused: Object(&STATUS_PAUSED),
    }

    STATUS_PAUSED {
        subscription: Object(&STATUS_PAUSED_SUBSCRIPTION),
        transitioned_at: Int,
        type: Code,
    }

    STATUS_PAUSED_SUBSCRIPTION {
        bill_for: Object(&super::schedule::PAUSE_BILL_FOR),
        invoicing_behavior: Code,
        reason: Code,
        resumes_at: Int,
        type: Code,
    }

    TRIAL_SETTINGS {
        end_behavior: Object(&TRIAL_END),
    }

    TRIAL_END {
        missing_payment_method: Code,
    }
}
