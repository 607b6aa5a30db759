//! `payment_settings`: how the invoices of a subscription are to be paid.

use serde_json::{Value, json};

use super::super::World;
use super::super::params::{self, Form};
use super::super::request::ApiError;
use super::super::template::reference;

/// What Stripe calls the types of payment methods. Cards are the only ones here, so that a list has
/// to name them: with another one nothing could ever be paid.
const METHOD_TYPES: &str = "ach_credit_transfer ach_debit acss_debit affirm amazon_pay \
    au_becs_debit bacs_debit bancontact boleto card cashapp crypto custom customer_balance eps fpx \
    giropay grabpay ideal jp_credit_transfer kakao_pay klarna konbini kr_card link multibanco \
    naver_pay nz_bank_account p24 pay_by_bank payco paynow paypal payto pix promptpay revolut_pay \
    sepa_credit_transfer sepa_debit sofort swish twint upi us_bank_account wechat_pay";

/// The settings.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct PaymentSettings {
    /// The types that invoices may be paid by, where not all may.
    method_types: Option<Vec<String>>,
    /// `off` or `on_subscription`.
    save_default: Option<&'static str>,
}

impl PaymentSettings {
    /// What they become by a form; what it doesn't name stays.
    pub(super) fn changed(&self, form: &Form) -> Result<Self, ApiError> {
        let mut settings = self.clone();
        let Some(form) = params::nested(form, "payment_settings")? else { return Ok(settings) };
        let known = ["payment_method_types", "save_default_payment_method"];
        params::known(form, "payment_settings", &known)?;
        let words = ["off", "on_subscription"];
        let save_default = params::word(form, "save_default_payment_method", &words)?;
        settings.save_default = save_default.or(settings.save_default);
        match form.get("payment_method_types") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => settings.method_types = None,
            Some(_) => settings.method_types = Some(method_types(form)?),
        }
        Ok(settings)
    }

    pub(super) fn render(&self) -> Value {
        json!({
            "payment_method_options": null,
            "payment_method_types": self.method_types,
            "save_default_payment_method": self.save_default,
        })
    }
}

fn method_types(form: &Form) -> Result<Vec<String>, ApiError> {
    let refuse =
        |message: String| ApiError::invalid("payment_settings[payment_method_types]", message);
    let types = params::texts(form, "payment_method_types")?;
    if let Some(other) =
        types.iter().find(|one| !METHOD_TYPES.split(' ').any(|known| known == **one))
    {
        return Err(refuse(format!("Invalid payment_method_types: there is no {other}")));
    }
    if !types.iter().any(|one| one == "card") {
        return Err(refuse(
            "The payment method types must include card: there are cards only.".to_owned(),
        ));
    }
    Ok(types)
}

impl World {
    /// Makes what has just paid an invoice its subscription's own method, if that's wanted. The
    /// update that follows from the payment tells of it.
    pub(in super::super) fn save_method(&mut self, subscription: &str, invoice: &str) {
        let intent = self.plain.get(&self.intent_of(invoice));
        let paid = intent.filter(|intent| intent["status"] == "succeeded");
        let Some(method) = paid.and_then(|intent| reference(intent, "payment_method")) else {
            return;
        };
        let wanted = self.subscriptions.get(subscription).is_some_and(|of| {
            of.payment_settings.save_default == Some("on_subscription")
                && of.default_method.as_ref() != Some(&method)
        });
        if wanted && let Some(of) = self.subscriptions.get_mut(subscription) {
            of.default_method = Some(method);
        }
    }
}
