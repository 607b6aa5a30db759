//! Refunds.

use serde_json::json;

use super::World;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::{filled, integer, reference, text};

type Answered = Result<Answer, ApiError>;

impl World {
    pub(super) fn create_refund(&mut self, form: &Form) -> Answered {
        let known = ["charge", "payment_intent", "amount", "reason", "metadata"];
        params::known(form, "", &known)?;
        let charge = match params::text(form, "charge")? {
            Some(charge) => charge,
            None => {
                let intent = params::text(form, "payment_intent")?;
                let intent = intent.ok_or_else(|| ApiError::missing("charge"))?;
                let intent = self.named("payment_intent", &intent, "payment_intent")?;
                reference(&intent, "latest_charge").unwrap_or_default()
            }
        };
        let charge = self.named("charge", &charge, "charge")?;
        self.in_status(&charge, &["succeeded"])?;
        if charge["disputed"] == true {
            let message = "The charge has been charged back.";
            return Err(ApiError::state("charge_disputed", message));
        }
        let left = integer(&charge, "amount") - integer(&charge, "amount_refunded");
        if left == 0 {
            let message = format!("Charge {} has already been refunded.", text(&charge, "id"));
            return Err(ApiError::state("charge_already_refunded", message));
        }
        let amount = params::integer(form, "amount")?.unwrap_or(left);
        if amount < 1 || amount > left {
            let message =
                format!("Refund amount is greater than unrefunded amount on charge ({left})");
            return Err(ApiError::invalid("amount", message));
        }
        let reasons = ["duplicate", "fraudulent", "requested_by_customer"];
        let now = reference(&charge, "customer").map_or(self.now, |one| self.present(&one));
        let refund = filled(
            "refund",
            json!({
                "id": self.ids.next("re"),
                "amount": amount,
                "charge": charge["id"],
                "created": now,
                "currency": charge["currency"],
                "customer": charge["customer"],
                "metadata": params::metadata(form, Form::new())?,
                "payment_intent": charge["payment_intent"],
                "payment_method": charge["payment_method"],
                "reason": params::word(form, "reason", &reasons)?,
                "status": "succeeded",
            }),
        );
        let id = self.make("refund", refund);
        let charge_id = text(&charge, "id");
        self.refund_by(charge_id, amount);
        self.emit("refund.created", &id);
        self.emit("charge.refunded", charge_id);
        self.answer(&id)
    }

    fn refund_by(&mut self, charge: &str, amount: i64) {
        let refunded = integer(&self.plain[charge], "amount_refunded") + amount;
        let whole = refunded == integer(&self.plain[charge], "amount");
        self.set(charge, json!({ "amount_refunded": refunded, "refunded": whole }));
    }

    pub(super) fn update_refund(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["metadata"])?;
        let refund = self.named("refund", id, "refund")?;
        let metadata = refund["metadata"].as_object().cloned().unwrap_or_default();
        self.set(id, json!({ "metadata": params::metadata(form, metadata)? }));
        self.emit("refund.updated", id);
        self.answer(id)
    }

    /// The bank sends the money back; not a path of Stripe's.
    pub(super) fn fail_refund(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        let refund = self.named("refund", id, "refund")?;
        self.in_status(&refund, &["succeeded", "pending"])?;
        let reason = "lost_or_stolen_card";
        self.set(id, json!({ "status": "failed", "failure_reason": reason }));
        let charge = reference(&refund, "charge").unwrap_or_default();
        self.refund_by(&charge, -integer(&refund, "amount"));
        self.emit("refund.updated", id);
        self.emit("refund.failed", id);
        self.emit("charge.updated", &charge);
        self.answer(id)
    }

    pub(super) fn list_refunds(&self, form: &Form) -> Answered {
        params::known(form, "", &["charge", "payment_intent", "created"])?;
        let charge = params::text(form, "charge")?;
        let intent = params::text(form, "payment_intent")?;
        let created = params::created(form)?;
        let found = self.all("refund").filter(|refund| {
            charge.as_ref().is_none_or(|one| refund["charge"] == one.as_str())
                && intent.as_ref().is_none_or(|one| refund["payment_intent"] == one.as_str())
                && created(integer(refund, "created"))
        });
        Ok(Answer::List { url: "/v1/refunds".to_owned(), data: found.collect() })
    }
}
