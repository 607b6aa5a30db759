//! Charges, refunds, disputes, intents and the means of payment.

use super::super::shape::shapes;
use super::REFERENCE;
use super::customer::CUSTOMER;
use super::invoice::INVOICE;

shapes! {
    /// `/api/charges/object`
    CHARGE {
        amount: Int,
        amount_captured: Int,
        amount_refunded: Int,
        balance_transaction: Link(&REFERENCE),
        captured: Flag,
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        dispute: Link(&DISPUTE),
        disputed: Flag,
        failure_balance_transaction: Link(&REFERENCE),
        failure_code: Code,
        id: Id,
        invoice: Link(&INVOICE),
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        outcome: Object(&OUTCOME),
        paid: Flag,
        payment_intent: Link(&PAYMENT_INTENT),
        payment_method: Link(&PAYMENT_METHOD),
        payment_method_details: Object(&PAYMENT_METHOD_DETAILS),
        refunded: Flag,
        refunds: Page(&List(&Object(&REFUND))),
        source: Link(&PAYMENT_METHOD),
        status: Code,
    }

    /// Without `seller_message`.
    OUTCOME {
        advice_code: Code,
        network_advice_code: Code,
        network_decline_code: Code,
        network_status: Code,
        reason: Code,
        risk_level: Code,
        type: Code,
    }

    /// `/api/refunds/object`
    REFUND {
        amount: Int,
        balance_transaction: Link(&REFERENCE),
        charge: Link(&CHARGE),
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        failure_balance_transaction: Link(&REFERENCE),
        failure_reason: Code,
        id: Id,
        metadata: Metadata,
        object: Code,
        payment_intent: Link(&PAYMENT_INTENT),
        payment_method: Link(&PAYMENT_METHOD),
        pending_reason: Code,
        reason: Code,
        status: Code,
    }

    /// `/api/disputes/object`, without all of `evidence`.
    DISPUTE {
        amount: Int,
        balance_transaction: Link(&REFERENCE),
        balance_transactions: List(&Object(&BALANCE_TRANSACTION)),
        charge: Link(&CHARGE),
        created: Int,
        currency: Code,
        evidence_details: Object(&EVIDENCE_DETAILS),
        id: Id,
        is_charge_refundable: Flag,
        livemode: Flag,
        metadata: Metadata,
        network_reason_code: Code,
        object: Code,
        payment_intent: Link(&PAYMENT_INTENT),
        payment_method_details: Object(&PAYMENT_METHOD_DETAILS),
        reason: Code,
        status: Code,
    }

    EVIDENCE_DETAILS {
        due_by: Int,
        has_evidence: Flag,
        past_due: Flag,
        submission_count: Int,
    }

    BALANCE_TRANSACTION {
        amount: Int,
        created: Int,
        currency: Code,
        fee: Int,
        id: Id,
        net: Int,
        object: Code,
        reporting_category: Code,
        status: Code,
        type: Code,
    }

    /// `/api/payment_intents/object`; `charges` until 2022-11-15.
    PAYMENT_INTENT {
        amount: Int,
        amount_capturable: Int,
        amount_received: Int,
        canceled_at: Int,
        cancellation_reason: Code,
        capture_method: Code,
        charges: Page(&List(&Object(&CHARGE))),
        confirmation_method: Code,
        created: Int,
        currency: Code,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        id: Id,
        invoice: Link(&INVOICE),
        last_payment_error: Object(&PAYMENT_ERROR),
        latest_charge: Link(&CHARGE),
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        payment_method: Link(&PAYMENT_METHOD),
        payment_method_types: List(&Code),
        setup_future_usage: Code,
        source: Link(&PAYMENT_METHOD),
        status: Code,
    }

    /// `/api/setup_intents/object`
    SETUP_INTENT {
        cancellation_reason: Code,
        created: Int,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        id: Id,
        last_setup_error: Object(&PAYMENT_ERROR),
        latest_attempt: Link(&REFERENCE),
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        payment_method: Link(&PAYMENT_METHOD),
        payment_method_types: List(&Code),
        status: Code,
        usage: Code,
    }

    /// `/api/errors`, without `message` and the means of payment.
    PAYMENT_ERROR {
        advice_code: Code,
        charge: Link(&REFERENCE),
        code: Code,
        decline_code: Code,
        network_advice_code: Code,
        network_decline_code: Code,
        type: Code,
    }

    /// `/api/payment_methods/object`, and the cards and sources that came before it.
    PAYMENT_METHOD {
        brand: Brand,
        card: Object(&CARD),
        country: Country,
        created: Int,
        customer: Link(&CUSTOMER),
        customer_account: Id,
        funding: Code,
        id: Id,
        livemode: Flag,
        metadata: Metadata,
        object: Code,
        status: Code,
        type: Code,
    }

    PAYMENT_METHOD_DETAILS {
        card: Object(&CARD),
        type: Code,
    }

    /// Without anything that tells one card from another.
    CARD {
        brand: Brand,
        case_type: Code,
        country: Country,
        funding: Code,
        network: Code,
        network_reason_code: Code,
    }
}
