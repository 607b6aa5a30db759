//! Disputes.

use serde_json::json;

use super::World;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::{filled, integer, reference, text};

type Answered = Result<Answer, ApiError>;

const OPEN: [&str; 4] =
    ["needs_response", "under_review", "warning_needs_response", "warning_under_review"];

impl World {
    /// A cardholder complains at the bank; not a path of Stripe's. With `inquiry` it's only a
    /// question, and no money moves.
    pub(super) fn create_dispute(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["charge", "amount", "reason", "inquiry"])?;
        let charge = params::required(form, "charge")?;
        let charge = self.named("charge", &charge, "charge")?;
        self.in_status(&charge, &["succeeded"])?;
        if charge["disputed"] == true {
            let message = "The charge has been charged back.";
            return Err(ApiError::state("charge_disputed", message));
        }
        let inquiry = params::flag(form, "inquiry")?.unwrap_or(false);
        let amount = params::integer(form, "amount")?.unwrap_or(integer(&charge, "amount"));
        if amount < 1 || amount > integer(&charge, "amount") {
            return Err(ApiError::invalid("amount", "Invalid amount of a dispute"));
        }
        let reasons = ["fraudulent", "general", "duplicate", "product_not_received"];
        let now = reference(&charge, "customer").map_or(self.now, |one| self.present(&one));
        let mut dispute = filled(
            "dispute",
            json!({
                "id": self.ids.next("du"),
                "amount": amount,
                "charge": charge["id"],
                "created": now,
                "currency": charge["currency"],
                "is_charge_refundable": inquiry,
                "livemode": self.config.livemode,
                "payment_intent": charge["payment_intent"],
                "reason": params::word(form, "reason", &reasons)?.unwrap_or("fraudulent"),
                "status": if inquiry { "warning_needs_response" } else { "needs_response" },
            }),
        );
        dispute["evidence_details"]["due_by"] = json!(now + 7 * 86_400);
        let id = self.make("dispute", dispute);
        let charge = text(&charge, "id");
        self.set(charge, json!({ "disputed": true }));
        self.emit("charge.dispute.created", &id);
        if !inquiry {
            self.move_funds(&id, -amount, "charge.dispute.funds_withdrawn");
        }
        self.emit("charge.updated", charge);
        self.answer(&id)
    }

    fn move_funds(&mut self, id: &str, amount: i64, kind: &str) {
        let mut moved = self.plain[id]["balance_transactions"].clone();
        let now = self.plain[id]["charge"].as_str().and_then(|charge| {
            reference(self.plain.get(charge)?, "customer").map(|one| self.present(&one))
        });
        let now = now.unwrap_or(self.now);
        let category = if amount < 0 { "dispute" } else { "dispute_reversal" };
        let transaction = filled(
            "balance_transaction",
            json!({
                "id": self.ids.next("txn"),
                "amount": amount,
                "available_on": now,
                "created": now,
                "currency": self.plain[id]["currency"],
                "net": amount,
                "reporting_category": category,
                "source": id,
                "type": "adjustment",
            }),
        );
        if let Some(moved) = moved.as_array_mut() {
            moved.push(transaction);
        }
        self.set(id, json!({ "balance_transactions": moved }));
        self.emit(kind, id);
    }

    pub(super) fn update_dispute(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["evidence", "submit", "metadata"])?;
        let mut dispute = self.named("dispute", id, "dispute")?;
        self.in_status(&dispute, &OPEN)?;
        let metadata = dispute["metadata"].as_object().cloned().unwrap_or_default();
        dispute["metadata"] = json!(params::metadata(form, metadata)?);
        if let Some(evidence) = params::nested(form, "evidence")? {
            for (name, value) in evidence {
                if dispute["evidence"].get(name).is_none() || !value.is_string() {
                    return Err(ApiError::unknown(&params::inside("evidence", name)));
                }
                dispute["evidence"][name.as_str()] = value.clone();
            }
            dispute["evidence_details"]["has_evidence"] = json!(true);
            if params::flag(form, "submit")?.unwrap_or(true) {
                let count = integer(&dispute["evidence_details"], "submission_count") + 1;
                dispute["evidence_details"]["submission_count"] = json!(count);
                let warning = text(&dispute, "status").starts_with("warning_");
                let status = if warning { "warning_under_review" } else { "under_review" };
                dispute["status"] = json!(status);
            }
        }
        self.plain.insert(id.to_owned(), dispute);
        self.emit("charge.dispute.updated", id);
        self.answer(id)
    }

    /// The bank decides (a path of the simulator's own), or the seller gives in.
    pub(super) fn close_dispute(&mut self, id: &str, form: &Form, given_in: bool) -> Answered {
        params::known(form, "", if given_in { &[] } else { &["status"] })?;
        let dispute = self.named("dispute", id, "dispute")?;
        self.in_status(&dispute, &OPEN)?;
        let words = ["won", "lost", "warning_closed", "prevented"];
        let status = match params::word(form, "status", &words)? {
            Some(status) => status,
            None if given_in => "lost",
            None => return Err(ApiError::missing("status")),
        };
        self.set(id, json!({ "status": status }));
        self.emit("charge.dispute.closed", id);
        let withdrawn =
            dispute["balance_transactions"].as_array().is_some_and(|all| !all.is_empty());
        if status != "lost" && withdrawn {
            let amount = integer(&dispute, "amount");
            self.move_funds(id, amount, "charge.dispute.funds_reinstated");
        }
        self.answer(id)
    }

    pub(super) fn list_disputes(&self, form: &Form) -> Answered {
        params::known(form, "", &["charge", "payment_intent", "created"])?;
        let charge = params::text(form, "charge")?;
        let intent = params::text(form, "payment_intent")?;
        let created = params::created(form)?;
        let found = self.all("dispute").filter(|dispute| {
            charge.as_ref().is_none_or(|one| dispute["charge"] == one.as_str())
                && intent.as_ref().is_none_or(|one| dispute["payment_intent"] == one.as_str())
                && created(integer(dispute, "created"))
        });
        Ok(Answer::List { url: "/v1/disputes".to_owned(), data: found.collect() })
    }
}
