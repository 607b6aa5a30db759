//! How money moves: invoices become final, are paid or not, and payments come back.

use serde_json::{Value, json};

use super::objects;
use super::world::{Step, World};

const DAY: i64 = 86_400;

impl World {
    pub(super) fn finalize(&mut self, invoice: &mut Value) {
        invoice["status"] = json!("open");
        invoice["status_transitions"]["finalized_at"] = json!(self.now);
        self.tell("invoice.finalized", invoice);
    }

    /// The payment succeeds; an invoice over nothing is paid without one.
    pub(super) fn pay(&mut self, index: usize, invoice: &mut Value) {
        let due = invoice["amount_due"].as_i64().unwrap_or_default();
        let intent = (due > 0).then(|| self.charge(index, invoice));
        invoice["status"] = json!("paid");
        invoice["status_transitions"]["paid_at"] = json!(self.now);
        invoice["amount_paid"] = json!(due);
        invoice["amount_remaining"] = json!(0);
        invoice["next_payment_attempt"] = Value::Null;
        if intent.is_some() {
            let attempts = invoice["attempt_count"].as_i64().unwrap_or_default() + 1;
            invoice["attempt_count"] = json!(attempts);
            invoice["attempted"] = json!(true);
        }
        self.tell("invoice.paid", invoice);
        self.tell("invoice.payment_succeeded", invoice);
        if let Some(intent) = intent {
            let id = self.id("inpay");
            let payment = objects::invoice_payment(&id, invoice, &intent, self.now);
            self.tell("invoice_payment.paid", &payment);
        }
    }

    fn charge(&mut self, index: usize, invoice: &Value) -> String {
        let (intent_id, charge_id) = (self.intent(index), self.id("ch"));
        let mut intent = objects::payment_intent(&intent_id, invoice);
        let charge = objects::charge(&charge_id, &intent, self.now, None);
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        intent["latest_charge"] = json!(charge_id);
        self.tell("payment_intent.succeeded", &intent);
        self.tell("charge.succeeded", &charge);
        self.holdings[index].charge = Some(charge);
        self.holdings[index].intent = None;
        intent_id
    }

    /// The payment of the open invoice: one, however often it is tried.
    fn intent(&mut self, index: usize) -> String {
        let known = self.holdings[index].intent.take();
        let id = known.unwrap_or_else(|| self.id("pi"));
        self.holdings[index].intent = Some(id.clone());
        id
    }

    /// The payment fails; the next attempt is three days later.
    pub(super) fn fail(&mut self, index: usize, invoice: &mut Value) {
        let (intent_id, charge_id) = (self.intent(index), self.id("ch"));
        let mut intent = objects::payment_intent(&intent_id, invoice);
        let charge = objects::charge(&charge_id, &intent, self.now, Some("card_declined"));
        intent["latest_charge"] = json!(charge_id);
        intent["last_payment_error"] =
            json!({ "code": "card_declined", "decline_code": "insufficient_funds" });
        self.tell("charge.failed", &charge);
        self.tell("payment_intent.payment_failed", &intent);
        let attempts = invoice["attempt_count"].as_i64().unwrap_or_default() + 1;
        invoice["attempt_count"] = json!(attempts);
        invoice["attempted"] = json!(true);
        invoice["next_payment_attempt"] = json!(self.now + 3 * DAY);
        self.tell("invoice.payment_failed", invoice);
    }

    /// All or half of the last payment is given back.
    pub(super) fn refund(&mut self, index: usize) {
        let Some(before) = self.holdings[index].charge.clone() else { return };
        if before["amount_refunded"] != 0 || before["disputed"] == true {
            return;
        }
        let whole = before["amount"].as_i64().unwrap_or_default();
        let amount = if self.dice.chance(50) { whole } else { whole / 2 };
        let id = self.id("re");
        let refund = objects::refund(&id, &before, amount, self.now);
        self.tell("refund.created", &refund);
        let mut after = before.clone();
        after["amount_refunded"] = json!(amount);
        after["refunded"] = json!(amount == whole);
        self.tell_change("charge.refunded", &before, &after);
        self.holdings[index].charge = Some(after);
    }

    /// The bank takes the last payment back until the dispute is decided.
    pub(super) fn dispute(&mut self, index: usize) {
        let Some(mut charge) = self.holdings[index].charge.clone() else { return };
        if charge["amount_refunded"] != 0 || charge["disputed"] == true {
            return;
        }
        let id = self.id("dp");
        let dispute = objects::dispute(&id, &charge, self.now);
        self.tell("charge.dispute.created", &dispute);
        self.tell("charge.dispute.funds_withdrawn", &dispute);
        charge["disputed"] = json!(true);
        self.holdings[index].charge = Some(charge);
        self.holdings[index].dispute = Some(dispute);
        let decided = self.now + self.dice.between(15 * DAY, 45 * DAY);
        self.plan(decided, index, Step::DisputeCloses);
    }

    pub(super) fn close_dispute(&mut self, index: usize) {
        let Some(before) = self.holdings[index].dispute.take() else { return };
        let won = self.dice.chance(50);
        let mut after = before.clone();
        after["status"] = json!(if won { "won" } else { "lost" });
        self.tell_change("charge.dispute.closed", &before, &after);
        if won {
            self.tell("charge.dispute.funds_reinstated", &after);
        }
    }
}
