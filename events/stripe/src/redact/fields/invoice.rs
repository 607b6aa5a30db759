//! Invoices, their lines and their payments.

use super::super::shape::shapes;
use super::REFERENCE;
use super::catalogue::{DISCOUNT, PLAN, PRICE, PRODUCT};
use super::customer::CUSTOMER;
use super::payment::{CHARGE, PAYMENT_ERROR, PAYMENT_INTENT, PAYMENT_METHOD};
use super::subscription::{PAUSE_COLLECTION, SUBSCRIPTION, SUBSCRIPTION_ITEM};

shapes! {
    /// `/api/invoices/object`
    INVOICE {
        amount_due: Int,
        amount_overpaid: Int,
        amount_paid: Int,
        amount_remaining: Int,
        amount_shipping: Int,
        attempt_count: Int,
        attempted: Flag,
        auto_advance: Flag,
        automatically_finalizes_at: Int,
        billing: Code,
        billing_reason: Code,
        charge: Link(&CHARGE),
        closed: Flag,
        collection_method: Code,
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        date: Int,
        default_payment_method: Link(&PAYMENT_METHOD),
        deleted: Flag,
        discount: Object(&DISCOUNT),
        discounts: List(&Link(&DISCOUNT)),
        due_date: Int,
        effective_at: Int,
        ending_balance: Int,
        finalized_at: Int,
        forgiven: Flag,
        from_invoice: Object(&FROM_INVOICE),
        id: Id,
        last_finalization_error: Object(&PAYMENT_ERROR),
        latest_revision: Link(&INVOICE),
        lines: Page(&List(&Object(&LINE))),
        livemode: Flag,
        metadata: Metadata,
        next_payment_attempt: Int,
        object: Code,
        paid: Flag,
        paid_out_of_band: Flag,
        parent: Object(&INVOICE_PARENT),
        payment_intent: Link(&PAYMENT_INTENT),
        payments: Page(&List(&Object(&INVOICE_PAYMENT))),
        period_end: Int,
        period_start: Int,
        post_payment_credit_notes_amount: Int,
        pre_payment_credit_notes_amount: Int,
        quote: Link(&REFERENCE),
        starting_balance: Int,
        status: Code,
        status_transitions: Object(&INVOICE_TRANSITIONS),
        subscription: Link(&SUBSCRIPTION),
        subscription_details: Object(&SUBSCRIPTION_DETAILS),
        subscription_proration_date: Int,
        subtotal: Int,
        subtotal_excluding_tax: Int,
        tax: Int,
        tax_percent: Number,
        test_clock: Link(&REFERENCE),
        total: Int,
        total_discount_amounts: List(&Object(&DISCOUNT_AMOUNT)),
        total_excluding_tax: Int,
        total_pretax_credit_amounts: List(&Object(&CREDIT_AMOUNT)),
        total_tax_amounts: List(&Object(&TAX_AMOUNT)),
        total_taxes: List(&Object(&TAX_AMOUNT)),
        webhooks_delivered_at: Int,
    }

    FROM_INVOICE {
        action: Code,
        invoice: Link(&INVOICE),
    }

    INVOICE_TRANSITIONS {
        finalized_at: Int,
        marked_uncollectible_at: Int,
        paid_at: Int,
        voided_at: Int,
    }

    /// Where the invoice comes from, since 2025-03-31.basil.
    INVOICE_PARENT {
        quote_details: Object(&QUOTE_DETAILS),
        subscription_details: Object(&SUBSCRIPTION_DETAILS),
        type: Code,
    }

    QUOTE_DETAILS {
        quote: Link(&REFERENCE),
    }

    SUBSCRIPTION_DETAILS {
        metadata: Metadata,
        pause_collection: Object(&PAUSE_COLLECTION),
        subscription: Link(&SUBSCRIPTION),
        subscription_proration_date: Int,
    }

    DISCOUNT_AMOUNT {
        amount: Int,
        discount: Link(&DISCOUNT),
    }

    CREDIT_AMOUNT {
        amount: Int,
        credit_balance_transaction: Link(&REFERENCE),
        discount: Link(&DISCOUNT),
        type: Code,
    }

    /// An element of `total_tax_amounts`, `tax_amounts`, `total_taxes` and `taxes`.
    TAX_AMOUNT {
        amount: Int,
        inclusive: Flag,
        tax_behavior: Code,
        tax_rate: Link(&REFERENCE),
        tax_rate_details: Object(&TAX_RATE_DETAILS),
        taxability_reason: Code,
        taxable_amount: Int,
        type: Code,
    }

    TAX_RATE_DETAILS {
        tax_rate: Link(&REFERENCE),
    }

    /// `/api/invoice-line-item/object`, invoice items and a session's lines.
    LINE {
        amount: Int,
        amount_discount: Int,
        amount_excluding_tax: Int,
        amount_subtotal: Int,
        amount_tax: Int,
        amount_total: Int,
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        date: Int,
        deleted: Flag,
        discount_amounts: List(&Object(&DISCOUNT_AMOUNT)),
        discountable: Flag,
        discounts: List(&Link(&DISCOUNT)),
        id: Id,
        invoice: Link(&INVOICE),
        invoice_item: Link(&REFERENCE),
        livemode: Flag,
        metadata: Metadata,
        net_amount: Int,
        object: Code,
        parent: Object(&LINE_PARENT),
        period: Object(&PERIOD),
        plan: Link(&PLAN),
        pretax_credit_amounts: List(&Object(&CREDIT_AMOUNT)),
        price: Link(&PRICE),
        pricing: Object(&PRICING),
        proration: Flag,
        proration_details: Object(&PRORATION),
        quantity: Int,
        quantity_decimal: Decimal,
        subscription: Link(&SUBSCRIPTION),
        subscription_item: Link(&SUBSCRIPTION_ITEM),
        subtotal: Int,
        tax_amounts: List(&Object(&TAX_AMOUNT)),
        taxes: List(&Object(&TAX_AMOUNT)),
        test_clock: Link(&REFERENCE),
        type: Code,
        unique_id: Id,
        unit_amount: Int,
        unit_amount_decimal: Decimal,
        unit_amount_excluding_tax: Decimal,
    }

    PERIOD {
        end: Int,
        start: Int,
    }

    PRICING {
        price_details: Object(&PRICE_DETAILS),
        type: Code,
        unit_amount_decimal: Decimal,
    }

    PRICE_DETAILS {
        price: Link(&PRICE),
        product: Link(&PRODUCT),
    }

    LINE_PARENT {
        invoice_item_details: Object(&LINE_PARENT_DETAILS),
        subscription_details: Object(&LINE_PARENT_DETAILS),
        subscription_item_details: Object(&LINE_PARENT_DETAILS),
        type: Code,
    }

    LINE_PARENT_DETAILS {
        invoice_item: Link(&REFERENCE),
        proration: Flag,
        proration_details: Object(&PRORATION),
        subscription: Link(&SUBSCRIPTION),
        subscription_item: Link(&SUBSCRIPTION_ITEM),
    }

    PRORATION {
        credited_items: Object(&CREDITED_ITEMS),
    }

    CREDITED_ITEMS {
        invoice: Link(&INVOICE),
        invoice_line_items: List(&Link(&LINE)),
    }

    /// `/api/invoice-payment/object`
    INVOICE_PAYMENT {
        amount_paid: Int,
        amount_requested: Int,
        created: Int,
        currency: Code,
        id: Id,
        invoice: Link(&INVOICE),
        is_default: Flag,
        livemode: Flag,
        object: Code,
        payment: Object(&PAYMENT_OF_INVOICE),
        status: Code,
        status_transitions: Object(&INVOICE_PAYMENT_TRANSITIONS),
    }

    PAYMENT_OF_INVOICE {
        charge: Link(&CHARGE),
        payment_intent: Link(&PAYMENT_INTENT),
        payment_record: Link(&REFERENCE),
        type: Code,
    }

    INVOICE_PAYMENT_TRANSITIONS {
        canceled_at: Int,
        paid_at: Int,
    }
}
