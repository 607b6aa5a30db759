//! Invoices: their state, their rendering, and the calls that are about them.

mod api;

use serde_json::{Map, Value, json};

use super::template::{filled, list, template, text};

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Draft,
    Open,
    Paid,
    Void,
    Uncollectible,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

/// An invoice of a subscription.
#[derive(Debug, Clone)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) clock: Option<String>,
    pub(super) subscription: String,
    /// The subscription's metadata when the invoice was made.
    pub(super) metadata: Map<String, Value>,
    pub(super) created: i64,
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) currency: String,
    pub(super) lines: Vec<Line>,
    pub(super) period: (i64, i64),
    pub(super) amount_paid: i64,
    pub(super) attempt_count: i64,
    pub(super) auto_advance: bool,
    /// When a draft becomes final by itself.
    pub(super) finalizes_at: Option<i64>,
    pub(super) next_attempt: Option<i64>,
    pub(super) first_failure: Option<i64>,
    pub(super) number: Option<String>,
    pub(super) intent: Option<String>,
    pub(super) finalized_at: Option<i64>,
    pub(super) paid_at: Option<i64>,
    pub(super) voided_at: Option<i64>,
    pub(super) uncollectible_at: Option<i64>,
    /// The ids of its invoice payments.
    pub(super) payments: Vec<String>,
}

/// One line of an invoice.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) description: String,
    pub(super) period: (i64, i64),
    pub(super) price: Value,
    pub(super) quantity: i64,
    /// The subscription's item.
    pub(super) item: String,
    /// Whether it is about a part of a period only.
    pub(super) in_part: bool,
    /// The invoice item behind it, where it waited for an invoice.
    pub(super) invoice_item: Option<String>,
}

impl Invoice {
    /// The sum of the lines, which is negative where more is given back than asked for.
    pub(super) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }

    pub(super) fn due(&self) -> i64 {
        self.total().max(0)
    }

    pub(super) fn is_unpaid(&self) -> bool {
        matches!(self.status, Status::Open | Status::Uncollectible)
    }

    /// Without its payments, as it's told of: they are shown to who asks to have them expanded.
    pub(super) fn render(&self, livemode: bool) -> Value {
        let lines = self.lines.iter().map(|line| self.render_line(line, livemode));
        let lines: Vec<_> = lines.collect();
        let url = format!("/v1/invoices/{}/lines", self.id);
        let (due, total) = (self.due(), self.total());
        let hosted = self.number.as_ref().map(|_| format!("https://invoice.test/{}", self.id));
        filled(
            "invoice",
            json!({
                "id": self.id,
                "amount_due": due,
                "amount_overpaid": 0,
                "amount_paid": self.amount_paid,
                "amount_remaining": due - self.amount_paid,
                "attempt_count": self.attempt_count,
                "attempted": self.attempt_count > 0,
                "auto_advance": self.auto_advance,
                "automatically_finalizes_at": self.finalizes_at,
                "billing_reason": self.reason,
                "created": self.created,
                "currency": self.currency,
                "customer": self.customer,
                "effective_at": self.finalized_at,
                "ending_balance": self.finalized_at.map(|_| 0),
                "hosted_invoice_url": hosted,
                "lines": list(&url, &lines),
                "livemode": livemode,
                "next_payment_attempt": self.next_attempt.or(self.finalizes_at),
                "number": self.number,
                "parent": {
                    "quote_details": null,
                    "subscription_details":
                        { "metadata": self.metadata, "subscription": self.subscription },
                    "type": "subscription_details",
                },
                "period_end": self.period.1,
                "period_start": self.period.0,
                "status": self.status.name(),
                "status_transitions": {
                    "finalized_at": self.finalized_at,
                    "marked_uncollectible_at": self.uncollectible_at,
                    "paid_at": self.paid_at,
                    "voided_at": self.voided_at,
                },
                "subtotal": total,
                "subtotal_excluding_tax": total,
                "test_clock": self.clock,
                "total": total,
                "total_excluding_tax": total,
            }),
        )
    }

    fn render_line(&self, line: &Line, livemode: bool) -> Value {
        let proration = line.in_part;
        let details = json!({
            "invoice_item": line.invoice_item,
            "proration": proration,
            "proration_details": { "credited_items": null },
            "subscription": self.subscription,
            "subscription_item": line.item,
        });
        let of_item = json!({
            "invoice_item": line.invoice_item,
            "proration": proration,
            "proration_details": { "credited_items": null },
            "subscription": self.subscription,
        });
        let (item, subscription, kind) = if line.invoice_item.is_some() {
            (of_item, Value::Null, "invoice_item_details")
        } else {
            (Value::Null, details, "subscription_item_details")
        };
        let mut rendered = filled(
            "line_item",
            json!({
                "id": line.id,
                "amount": line.amount,
                "currency": self.currency,
                "description": line.description,
                "invoice": self.id,
                "livemode": livemode,
                "metadata": self.metadata,
                "parent": { "invoice_item_details": item,
                    "subscription_item_details": subscription, "type": kind },
                "period": { "start": line.period.0, "end": line.period.1 },
                "pricing": pricing(&line.price),
                "quantity": line.quantity,
                "subscription": self.subscription,
                "subtotal": line.amount,
            }),
        );
        rendered["discountable"] = json!(!proration);
        rendered
    }
}

/// How a line or an invoice item names its price.
pub(super) fn pricing(price: &Value) -> Value {
    let mut pricing = template("line_item")["pricing"].clone();
    pricing["price_details"] = json!({ "price": price["id"], "product": price["product"] });
    pricing["unit_amount_decimal"] = json!(text(price, "unit_amount_decimal"));
    pricing
}
