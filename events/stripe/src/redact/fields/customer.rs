//! Customers, their way through Checkout, and Stripe's own entitlements.

use super::super::shape::shapes;
use super::REFERENCE;
use super::catalogue::{COUPON, DISCOUNT};
use super::invoice::{INVOICE, LINE};
use super::payment::{PAYMENT_INTENT, PAYMENT_METHOD, SETUP_INTENT};
use super::subscription::SUBSCRIPTION;

shapes! {
    /// `/api/customers/object`: of a person, only what links and what is owed.
    CUSTOMER {
        account_balance: Int,
        balance: Int,
        created: Int,
        currency: Code,
        customer_account: Id,
        default_source: Link(&PAYMENT_METHOD),
        deleted: Flag,
        delinquent: Flag,
        discount: Object(&DISCOUNT),
        id: Id,
        invoice_settings: Object(&INVOICE_SETTINGS),
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        subscriptions: Page(&List(&Object(&SUBSCRIPTION))),
        test_clock: Link(&REFERENCE),
    }

    INVOICE_SETTINGS {
        default_payment_method: Link(&PAYMENT_METHOD),
    }

    /// `/api/checkout/sessions/object`
    CHECKOUT_SESSION {
        amount_subtotal: Int,
        amount_total: Int,
        client_reference_id: Trainer,
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        discounts: List(&Object(&SESSION_DISCOUNT)),
        expires_at: Int,
        id: Id,
        invoice: Link(&INVOICE),
        line_items: Page(&List(&Object(&LINE))),
        livemode: Flag,
        metadata: Metadata,
        mode: Code,
        object: Code,
        payment_intent: Link(&PAYMENT_INTENT),
        payment_link: Link(&REFERENCE),
        payment_method_collection: Code,
        payment_status: Code,
        recovered_from: Id,
        setup_intent: Link(&SETUP_INTENT),
        status: Code,
        subscription: Link(&SUBSCRIPTION),
        total_details: Object(&TOTAL_DETAILS),
    }

    SESSION_DISCOUNT {
        coupon: Link(&COUPON),
        promotion_code: Link(&REFERENCE),
    }

    TOTAL_DETAILS {
        amount_discount: Int,
        amount_shipping: Int,
        amount_tax: Int,
    }

    /// `/api/entitlements/active-entitlement-summary/object`
    ENTITLEMENT_SUMMARY {
        customer: Link(&CUSTOMER),
        entitlements: Page(&List(&Object(&ENTITLEMENT))),
        livemode: Flag,
        object: Code,
    }

    ENTITLEMENT {
        feature: Link(&ENTITLEMENT_FEATURE),
        id: Id,
        livemode: Flag,
        lookup_key: Text,
        object: Code,
    }

    ENTITLEMENT_FEATURE {
        active: Flag,
        id: Id,
        livemode: Flag,
        lookup_key: Text,
        metadata: Metadata,
        object: Code,
    }
}
