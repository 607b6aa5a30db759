//! Products, prices, plans, coupons and discounts.

use super::super::shape::shapes;
use super::REFERENCE;
use super::customer::CUSTOMER;
use super::invoice::INVOICE;
use super::subscription::SUBSCRIPTION;

shapes! {
    /// `/api/products/object`
    PRODUCT {
        active: Flag,
        created: Int,
        default_price: Link(&PRICE),
        deleted: Flag,
        id: Id,
        livemode: Flag,
        metadata: Metadata,
        name: Text,
        object: Code,
        type: Code,
        updated: Int,
    }

    /// `/api/prices/object`
    PRICE {
        active: Flag,
        billing_scheme: Code,
        created: Int,
        currency: Code,
        deleted: Flag,
        id: Id,
        livemode: Flag,
        lookup_key: Text,
        metadata: Metadata,
        nickname: Text,
        object: Code,
        product: Link(&PRODUCT),
        recurring: Object(&RECURRING),
        tax_behavior: Code,
        tiers: List(&Object(&TIER)),
        tiers_mode: Code,
        transform_quantity: Object(&TRANSFORM),
        type: Code,
        unit_amount: Int,
        unit_amount_decimal: Decimal,
    }

    RECURRING {
        aggregate_usage: Code,
        interval: Code,
        interval_count: Int,
        meter: Id,
        trial_period_days: Int,
        usage_type: Code,
    }

    /// `/api/plans/object`; `name` is the product's, from before products had names of their own.
    PLAN {
        active: Flag,
        aggregate_usage: Code,
        amount: Int,
        amount_decimal: Decimal,
        billing_scheme: Code,
        created: Int,
        currency: Code,
        deleted: Flag,
        id: Id,
        interval: Code,
        interval_count: Int,
        livemode: Flag,
        metadata: Metadata,
        meter: Id,
        name: Text,
        nickname: Text,
        object: Code,
        product: Link(&PRODUCT),
        tiers: List(&Object(&TIER)),
        tiers_mode: Code,
        transform_usage: Object(&TRANSFORM),
        trial_period_days: Int,
        usage_type: Code,
    }

    TIER {
        amount: Int,
        flat_amount: Int,
        flat_amount_decimal: Decimal,
        unit_amount: Int,
        unit_amount_decimal: Decimal,
        up_to: Int,
    }

    TRANSFORM {
        divide_by: Int,
        round: Code,
    }

    /// `/api/coupons/object`
    COUPON {
        amount_off: Int,
        created: Int,
        currency: Code,
        deleted: Flag,
        duration: Code,
        duration_in_months: Int,
        id: Id,
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        percent_off: Number,
        valid: Flag,
    }

    /// `/api/discounts/object`; the coupon stands under `source` since 2025-09-30.clover.
    DISCOUNT {
        coupon: Link(&COUPON),
        customer: Link(&CUSTOMER),
        customer_account: Id,
        deleted: Flag,
        end: Int,
        id: Id,
        invoice: Link(&INVOICE),
        invoice_item: Link(&REFERENCE),
        object: Code,
        promotion_code: Link(&REFERENCE),
        source: Object(&DISCOUNT_SOURCE),
        start: Int,
        subscription: Link(&SUBSCRIPTION),
        subscription_item: Link(&REFERENCE),
    }

    DISCOUNT_SOURCE {
        coupon: Link(&COUPON),
        type: Code,
    }
}
