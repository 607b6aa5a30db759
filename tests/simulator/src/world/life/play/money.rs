//! The calls that are about invoices, payments, refunds and disputes.

use serde_json::{Value, json};

use super::super::super::template::{integer, text};
use super::super::{CARDS, Step};
use super::{Player, of};

impl Player {
    /// A step that moves money, or says that it will not move.
    pub(super) fn money(&mut self, step: Step) -> Option<Value> {
        let status = |wanted: &'static str| move |object: &Value| object["status"] == wanted;
        let is_open = |object: &Value| {
            ["needs_response", "under_review"]
                .iter()
                .any(|end| text(object, "status").ends_with(end))
        };
        let (path, form) = match step {
            Step::Pay { invoice, card } => {
                let payable = |invoice: &Value| {
                    ["draft", "open", "uncollectible"].contains(&text(invoice, "status"))
                };
                let invoice = self.pick("invoice", invoice, payable)?;
                let form = json!({ "payment_method": of(&CARDS, card) });
                (format!("invoices/{}/pay", text(&invoice, "id")), form)
            }
            Step::Void { invoice } => {
                let invoice = self.pick("invoice", invoice, status("open"))?;
                (format!("invoices/{}/void", text(&invoice, "id")), json!({}))
            }
            Step::Uncollectible { invoice } => {
                let invoice = self.pick("invoice", invoice, status("open"))?;
                (format!("invoices/{}/mark_uncollectible", text(&invoice, "id")), json!({}))
            }
            Step::Authenticate { intent, succeeds } => {
                let intent = self.pick("payment_intent", intent, status("requires_action"))?;
                let path =
                    format!("test_helpers/payment_intents/{}/authenticate", text(&intent, "id"));
                (path, json!({ "outcome": if succeeds { "succeed" } else { "fail" } }))
            }
            Step::Refund { charge, percent } => {
                let charge = self.pick("charge", charge, status("succeeded"))?;
                let share = integer(&charge, "amount") * i64::from(percent % 100 + 1) / 100;
                let form = json!({ "charge": charge["id"], "amount": share.max(1) });
                ("refunds".to_owned(), form)
            }
            Step::FailRefund { refund } => {
                let refund = self.pick("refund", refund, status("succeeded"))?;
                (format!("test_helpers/refunds/{}/fail", text(&refund, "id")), json!({}))
            }
            Step::Dispute { charge, inquiry } => {
                let charge = self.pick("charge", charge, status("succeeded"))?;
                let form = json!({ "charge": charge["id"], "inquiry": inquiry });
                ("test_helpers/disputes".to_owned(), form)
            }
            Step::Evidence { dispute, submit } => {
                let dispute = self.pick("dispute", dispute, is_open)?;
                let evidence = json!({ "uncategorized_text": "It was used." });
                let form = json!({ "evidence": evidence, "submit": submit });
                (format!("disputes/{}", text(&dispute, "id")), form)
            }
            Step::CloseDispute { dispute, outcome } => {
                let dispute = self.pick("dispute", dispute, is_open)?;
                let path = format!("test_helpers/disputes/{}/close", text(&dispute, "id"));
                let is_inquiry = text(&dispute, "status").starts_with("warning_");
                let outcome = match outcome % 5 {
                    4 => "prevented",
                    _ if is_inquiry => "warning_closed",
                    other => of(&["won", "lost"], other),
                };
                (path, json!({ "status": outcome }))
            }
            _ => return None,
        };
        self.post(&path, &form)
    }
}
