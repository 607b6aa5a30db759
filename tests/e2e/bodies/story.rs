//! What happens to one customer, in the order and with the webhooks that Stripe documents.

use serde_json::{Value, json};

use super::DAY;
use super::event::{event, previous_attributes};
use super::invoice::Invoice;
use super::money::{Charge, Dispute};
use super::people::{Checkout, customer};
use super::subscription::{Price, Subscription};
use super::version::Version;

/// One customer's life at Stripe. Ids derive from the trainer's, so that stories of different
/// trainers never meet.
pub(crate) struct Story {
    pub(crate) trainer: String,
    pub(crate) customer: String,
    /// When the next webhook's event was made.
    pub(crate) now: i64,
    version: Version,
    /// Whether subscriptions carry `metadata.trainer_id`; without it only the checkout tells.
    named: bool,
    count: u32,
    events: Vec<Value>,
    tier: Option<Subscription>,
    add_on: Option<Subscription>,
    invoice: Option<Invoice>,
    charge: Option<Charge>,
    dispute: Option<Dispute>,
}

impl Story {
    /// A story that begins now, at `now`.
    pub(crate) fn new(trainer: &str, version: Version, now: i64) -> Self {
        Self {
            trainer: trainer.to_owned(),
            customer: format!("cus_{trainer}"),
            now,
            version,
            named: true,
            count: 0,
            events: Vec::new(),
            tier: None,
            add_on: None,
            invoice: None,
            charge: None,
            dispute: None,
        }
    }

    /// Subscriptions don't say whose they are.
    pub(crate) fn unnamed(mut self) -> Self {
        self.named = false;
        self
    }

    /// The webhooks since the last call.
    pub(crate) fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// The subscription to a tier.
    pub(crate) fn tier(&self) -> &Subscription {
        self.tier.as_ref().expect("a tier was bought")
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += seconds;
        self
    }

    /// A tier is bought in Checkout and paid for.
    pub(crate) fn purchase(&mut self, price: Price) -> &mut Self {
        let new = self.subscription("sub", price);
        self.tell("customer.created", &customer(&self.customer, self.now, &json!({})));
        let tier = self.subscribe(new);
        self.checkout(&tier, price.amount);
        self.tier = Some(tier);
        self
    }

    /// A tier is ordered, and its first payment fails.
    pub(crate) fn order(&mut self, price: Price) -> &mut Self {
        let mut tier = self.subscription("sub", price);
        tier.status = "incomplete";
        self.tell("customer.created", &customer(&self.customer, self.now, &json!({})));
        self.tell("customer.subscription.created", &tier.json(self.version));
        self.invoice = Some(self.new_invoice(&tier, "subscription_create", price.amount));
        self.payment_fails();
        self.tier = Some(tier);
        self
    }

    /// A tier is tried before it is paid for.
    pub(crate) fn try_out(&mut self, price: Price, days: i64) -> &mut Self {
        let mut tier = self.subscription("sub", price);
        let trial = (self.now, self.now + days * DAY);
        (tier.status, tier.trial, tier.period) = ("trialing", Some(trial), trial);
        self.tell("customer.created", &customer(&self.customer, self.now, &json!({})));
        self.tell("customer.subscription.created", &tier.json(self.version));
        let mut invoice = self.new_invoice(&tier, "subscription_create", 0);
        (invoice.status, invoice.paid_at, invoice.attempts) = ("paid", Some(self.now), 0);
        self.tell("invoice.paid", &invoice.json(self.version));
        self.checkout(&tier, 0);
        self.tier = Some(tier);
        self
    }

    /// The trial is over, and is paid for an hour later.
    pub(crate) fn trial_ends(&mut self) -> &mut Self {
        let ends = self.tier().period.1;
        self.now = ends;
        self.change_tier(|tier| {
            tier.status = "active";
            tier.period = (ends, ends + tier.price.period());
        });
        self.bill("subscription_cycle");
        self.pass(3600).pay()
    }

    /// A new period begins, and is paid for an hour later.
    pub(crate) fn renew(&mut self) -> &mut Self {
        self.next_period();
        self.pass(3600).pay()
    }

    /// A new period begins, and its payment fails.
    pub(crate) fn renewal_fails(&mut self) -> &mut Self {
        self.next_period();
        self.pass(3600);
        self.payment_fails();
        self.becomes("past_due")
    }

    /// The tier's subscription gets another status.
    pub(crate) fn becomes(&mut self, status: &'static str) -> &mut Self {
        self.change_tier(|tier| tier.status = status);
        self
    }

    /// The payment that failed succeeds.
    pub(crate) fn recover(&mut self) -> &mut Self {
        self.pay();
        self.change_tier(|tier| tier.status = "active");
        self
    }

    /// Another price, at once.
    pub(crate) fn change_to(&mut self, price: Price) -> &mut Self {
        self.change_tier(|tier| tier.price = price);
        self.bill("subscription_update");
        self.pay()
    }

    /// To end with the period: as classic billing tells it, or as flexible billing does.
    pub(crate) fn cancel_at_period_end(&mut self, flexible: bool) -> &mut Self {
        let now = self.now;
        self.change_tier(|tier| {
            tier.canceled_at = Some(now);
            tier.cancel_at = Some(tier.period.1);
            tier.cancel_at_period_end = !flexible;
        });
        self
    }

    /// The end.
    pub(crate) fn cancel_now(&mut self) -> &mut Self {
        let mut tier = self.tier.take().expect("a tier was bought");
        self.end(&mut tier);
        self.tier = Some(tier);
        self
    }

    /// An add-on is bought beside the tier.
    pub(crate) fn add(&mut self, price: Price) -> &mut Self {
        let new = self.subscription("sub_addon", price);
        self.add_on = Some(self.subscribe(new));
        self
    }

    /// Another price of the add-on, at once.
    pub(crate) fn change_add_on(&mut self, price: Price) -> &mut Self {
        self.update_add_on(|add_on| add_on.price = price)
    }

    /// The add-on's subscription gets another status.
    pub(crate) fn add_on_becomes(&mut self, status: &'static str) -> &mut Self {
        self.update_add_on(|add_on| add_on.status = status)
    }

    /// The add-on is deleted.
    pub(crate) fn drop_add_on(&mut self) -> &mut Self {
        let mut add_on = self.add_on.take().expect("an add-on was bought");
        self.end(&mut add_on);
        self
    }

    /// A part of the last payment is given back.
    pub(crate) fn refund(&mut self, amount: i64) -> &mut Self {
        let id = self.id("re");
        let mut charge = self.charge.clone().expect("something was paid");
        self.tell("refund.created", &charge.refund_json(&id, amount, self.now));
        charge.refunded += amount;
        self.tell("charge.refunded", &charge.json(self.version));
        self.charge = Some(charge);
        self
    }

    /// The last payment is disputed.
    pub(crate) fn dispute(&mut self) -> &mut Self {
        let mut charge = self.charge.clone().expect("something was paid");
        charge.disputed = true;
        let (id, created) = (self.id("dp"), self.now);
        let dispute = Dispute { id, charge, status: "needs_response", created };
        self.tell("charge.dispute.created", &dispute.json());
        self.dispute = Some(dispute);
        self
    }

    /// The bank decides the dispute.
    pub(crate) fn decide_dispute(&mut self, status: &'static str) -> &mut Self {
        let mut dispute = self.dispute.take().expect("something was disputed");
        let before = dispute.json();
        dispute.status = status;
        self.tell_change("charge.dispute.closed", &before, &dispute.json());
        self
    }

    /// Any other webhook of this story.
    pub(crate) fn tell(&mut self, kind: &str, object: &Value) {
        let id = self.id("evt");
        self.events.push(event(self.version, &id, kind, self.now, object, None));
    }

    fn tell_change(&mut self, kind: &str, before: &Value, after: &Value) {
        let id = self.id("evt");
        let previous = previous_attributes(before, after);
        self.events.push(event(self.version, &id, kind, self.now, after, previous.as_ref()));
    }

    fn change_tier(&mut self, change: impl FnOnce(&mut Subscription)) {
        let tier = self.tier.take().expect("a tier was bought");
        self.tier = Some(self.update(tier, change));
    }

    fn update_add_on(&mut self, change: impl FnOnce(&mut Subscription)) -> &mut Self {
        let add_on = self.add_on.take().expect("an add-on was bought");
        self.add_on = Some(self.update(add_on, change));
        self
    }

    fn update(
        &mut self,
        mut subscription: Subscription,
        change: impl FnOnce(&mut Subscription),
    ) -> Subscription {
        let before = subscription.json(self.version);
        change(&mut subscription);
        let after = subscription.json(self.version);
        self.tell_change("customer.subscription.updated", &before, &after);
        subscription
    }

    /// Until basil a subscription started `incomplete` and became active with the payment.
    fn subscribe(&mut self, mut new: Subscription) -> Subscription {
        let version = self.version;
        if version.is_basil() {
            self.tell("customer.subscription.created", &new.json(version));
        } else {
            new.status = "incomplete";
            let incomplete = new.json(version);
            self.tell("customer.subscription.created", &incomplete);
            new.status = "active";
            self.tell_change("customer.subscription.updated", &incomplete, &new.json(version));
        }
        self.invoice = Some(self.new_invoice(&new, "subscription_create", new.price.amount));
        self.pay();
        new
    }

    fn checkout(&mut self, of: &Subscription, amount: i64) {
        let id = self.id("cs");
        let session = Checkout {
            id: &id,
            customer: &self.customer,
            subscription: &of.id,
            trainer: Some(&self.trainer),
            created: self.now - 120,
            amount,
        };
        let session = session.json();
        self.tell("checkout.session.completed", &session);
    }

    fn next_period(&mut self) {
        let (_, end) = self.tier().period;
        self.now = end;
        self.change_tier(|tier| tier.period = (end, end + tier.price.period()));
        self.bill("subscription_cycle");
    }

    /// An invoice over the tier's price, as a draft.
    fn bill(&mut self, reason: &'static str) {
        let tier = self.tier().clone();
        let invoice = self.new_invoice(&tier, reason, tier.price.amount);
        self.tell("invoice.created", &invoice.json(self.version));
        self.invoice = Some(invoice);
    }

    /// The last invoice becomes final and is paid.
    fn pay(&mut self) -> &mut Self {
        let (intent, version) = (self.id("pi"), self.version);
        let mut invoice = self.invoice.clone().expect("something was billed");
        let charge = Charge::of(&invoice, &intent, self.now);
        self.tell("payment_intent.succeeded", &charge.intent_json(version));
        self.tell("charge.succeeded", &charge.json(version));
        invoice.status = "open";
        self.tell("invoice.finalized", &invoice.json(version));
        (invoice.status, invoice.paid_at) = ("paid", Some(self.now));
        (invoice.intent, invoice.next_attempt) = (Some(intent), None);
        invoice.attempts += 1;
        self.tell("invoice.paid", &invoice.json(version));
        self.tell("invoice.payment_succeeded", &invoice.json(version));
        if version.is_basil() {
            self.tell("invoice_payment.paid", &invoice.payment_json());
        }
        (self.charge, self.invoice) = (Some(charge), Some(invoice));
        self
    }

    /// The last invoice becomes final, and its payment fails.
    fn payment_fails(&mut self) {
        let (intent, version) = (self.id("pi"), self.version);
        let mut invoice = self.invoice.clone().expect("something was billed");
        let charge = Charge { declined: true, ..Charge::of(&invoice, &intent, self.now) };
        self.tell("charge.failed", &charge.json(version));
        self.tell("payment_intent.payment_failed", &charge.intent_json(version));
        (invoice.status, invoice.attempts) = ("open", invoice.attempts + 1);
        (invoice.next_attempt, invoice.intent) = (Some(self.now + 3 * DAY), Some(intent));
        self.tell("invoice.payment_failed", &invoice.json(version));
        self.invoice = Some(invoice);
    }

    fn end(&mut self, subscription: &mut Subscription) {
        subscription.status = "canceled";
        subscription.ended_at = Some(self.now);
        subscription.canceled_at = subscription.canceled_at.or(Some(self.now));
        self.tell("customer.subscription.deleted", &subscription.json(self.version));
    }

    fn subscription(&mut self, kind: &str, price: Price) -> Subscription {
        Subscription {
            id: self.id(kind),
            customer: self.customer.clone(),
            trainer: self.named.then(|| self.trainer.clone()),
            status: "active",
            price,
            period: (self.now, self.now + price.period()),
            created: self.now,
            trial: None,
            cancel_at_period_end: false,
            cancel_at: None,
            canceled_at: None,
            ended_at: None,
            latest_invoice: None,
        }
    }

    fn new_invoice(&mut self, of: &Subscription, reason: &'static str, amount: i64) -> Invoice {
        Invoice {
            id: self.id("in"),
            of: of.clone(),
            amount,
            status: "draft",
            reason,
            created: self.now,
            attempts: 0,
            next_attempt: None,
            paid_at: None,
            intent: None,
        }
    }

    fn id(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}_{}_{:03}", self.trainer, self.count)
    }
}
