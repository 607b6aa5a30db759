//! What is about people, and what opens something without a password, by the names that Stripe's
//! fields have. No allow-list may name one of these: a table that does so doesn't compile.
//!
//! A name is forbidden wherever it stands. Of those that mean a person in one object and a product
//! in another (`name`), the tables themselves must take care.
//!
//! Source: the objects of Stripe's API reference, `/api/<object>/object`.

/// Fields that are never kept: who somebody is and how to reach them, what they wrote, what tells
/// one card or bank account from another, secrets of the client, and documents that anybody with
/// the link can open.
pub const PERSONAL: &[&str] = &[
    "account_holder_name",
    "account_name",
    "account_number",
    "ach_credit_transfer",
    "ach_debit",
    "acss_debit",
    "address",
    "after_expiration",
    "au_becs_debit",
    "authorization_code",
    "bacs_debit",
    "bank_name",
    "billing_details",
    "business_name",
    "calculated_statement_descriptor",
    "cashapp",
    "client_secret",
    "collected_information",
    "comment",
    "confirmation_secret",
    "custom_fields",
    "custom_text",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_shipping",
    "customer_tax_ids",
    "description",
    "destination_details",
    "dynamic_last4",
    "email",
    "evidence",
    "exp_month",
    "exp_year",
    "failure_message",
    "fingerprint",
    "footer",
    "fraud_details",
    "iban",
    "iin",
    "individual_name",
    "invoice_pdf",
    "invoice_prefix",
    "ip_address",
    "last4",
    "link",
    "location",
    "message",
    "network_transaction_id",
    "next_action",
    "number",
    "owner",
    "paypal",
    "phone",
    "preferred_locales",
    "receipt_email",
    "receipt_number",
    "routing_number",
    "seller_message",
    "sepa_debit",
    "shipping",
    "shipping_address",
    "shipping_cost",
    "shipping_details",
    "shipping_options",
    "sort_code",
    "sources",
    "statement_descriptor",
    "statement_descriptor_kana",
    "statement_descriptor_kanji",
    "statement_descriptor_prefix",
    "statement_descriptor_suffix",
    "tax_id",
    "tax_ids",
    "url",
    "us_bank_account",
    "value",
    "verification",
    "wallet",
];

/// Fields whose names end like this hold links.
const LINK: &str = "_url";

/// Whether a field of that name is never kept, whatever it holds.
#[must_use]
pub const fn is_personal(name: &str) -> bool {
    let name = name.as_bytes();
    let mut index = 0;
    while index < PERSONAL.len() {
        let personal = PERSONAL[index].as_bytes();
        if personal.len() == name.len() && ends_with(name, personal) {
            return true;
        }
        index += 1;
    }
    ends_with(name, LINK.as_bytes())
}

/// What slices can't tell while the program is compiled.
const fn ends_with(name: &[u8], end: &[u8]) -> bool {
    if end.len() > name.len() {
        return false;
    }
    let start = name.len() - end.len();
    let mut index = 0;
    while index < end.len() {
        if name[start + index] != end[index] {
            return false;
        }
        index += 1;
    }
    true
}
