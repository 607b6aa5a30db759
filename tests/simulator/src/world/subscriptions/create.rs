//! How a subscription begins.

use super::super::World;
use super::super::billing::Draft;
use super::super::params::{self, Form};
use super::super::payments::Outcome;
use super::super::request::{Answer, ApiError};
use super::form::{self, TrialEnd};
use super::{Payment, PaymentSettings, Starting, Status, Subscription, anchor, bill, ending};

const KNOWN: [&str; 18] = [
    "customer",
    "items",
    "metadata",
    "description",
    "default_payment_method",
    "payment_settings",
    "off_session",
    "payment_behavior",
    "proration_behavior",
    "trial_end",
    "trial_period_days",
    "trial_settings",
    "billing_cycle_anchor",
    "cancel_at",
    "cancel_at_period_end",
    "billing_mode",
    "collection_method",
    "currency",
];

impl World {
    pub(in super::super) fn create_subscription(
        &mut self,
        form: &Form,
    ) -> Result<Answer, ApiError> {
        params::known(form, "", &KNOWN)?;
        let customer = params::required(form, "customer")?;
        self.named("customer", &customer, "customer")?;
        let now = self.present(&customer);
        let how = bill::payment(form)?;
        let flexible = self.billing_mode(form)?;
        let billing = bill::billing(form)?;
        params::word(form, "collection_method", &["charge_automatically"])?;
        // It only tells the bank who is there to be asked.
        params::flag(form, "off_session")?;
        let ending = ending::asked(form, now)?;
        let payment_settings = PaymentSettings::default().changed(form)?;
        let trial_end = match form::trial_end(form, now)? {
            Some(TrialEnd::At(at)) => Some(at),
            _ => None,
        };
        let missing_method = form::missing_method(form)?.unwrap_or("create_invoice");
        let metadata = params::metadata(form, Form::new())?;
        let description = match form::description(form)? {
            // There is nothing yet that could be unset.
            Some(None) => return Err(ApiError::empty("description")),
            given => given.flatten(),
        };
        let items = self.new_items(form, "items", now)?;
        form::currency(form, &items)?;
        let anchor = anchor::asked(form, &items, billing, now, trial_end)?;
        let method = match params::text(form, "default_payment_method")? {
            Some(method) => Some(self.usable(&method, Some(&customer))?),
            None => None,
        };
        let starting = Starting {
            customer,
            items,
            metadata,
            description,
            trial_end,
            anchor,
            ending,
            missing_method,
            method,
            payment_settings,
            flexible,
        };
        if starting.due(now) > 0 {
            self.can_begin(&starting, how)?;
        }
        let id = self.start(starting, how, None);
        self.answer(&id)
    }

    /// Refuses a beginning that has to be paid at once and can't be.
    fn can_begin(&self, starting: &Starting, how: Payment) -> Result<(), ApiError> {
        let own = starting.method.clone();
        let paying = own.or_else(|| self.customer_method(&starting.customer));
        match (how, self.predict(paying.as_deref())) {
            (Payment::Default, _) | (_, Outcome::Succeeded) => Ok(()),
            (_, Outcome::NoMethod) => {
                let message = "This customer has no attached payment source or default payment \
                               method. Please consider adding a default payment method.";
                Err(ApiError::state("resource_missing", message))
            }
            (Payment::Error, Outcome::Declined(code)) => Err(ApiError::declined(code)),
            (Payment::Error, Outcome::RequiresAction) => Err(ApiError::needs_action()),
            _ => Ok(()),
        }
    }

    /// Whether a form asks for a flexible billing mode.
    pub(in super::super) fn billing_mode(&self, form: &Form) -> Result<bool, ApiError> {
        let Some(mode) = params::nested(form, "billing_mode")? else {
            return Ok(self.config.flexible_by_default);
        };
        params::known(mode, "billing_mode", &["type", "flexible"])?;
        let mode = params::word(mode, "type", &["classic", "flexible"])?;
        Ok(mode.ok_or_else(|| ApiError::missing("billing_mode[type]"))? == "flexible")
    }

    /// Begins a subscription; where its first payment was made on a page, by that payment's intent.
    /// Otherwise the payment comes first when it will succeed, as Stripe tells it since basil, and
    /// a subscription that isn't paid begins incomplete.
    pub(in super::super) fn start(
        &mut self,
        starting: Starting,
        how: Payment,
        paid: Option<String>,
    ) -> String {
        let customer = starting.customer.clone();
        let now = self.present(&customer);
        let trial = starting.trial_end.map(|end| (now, end));
        let period = starting.period(now);
        let is_unbilled = starting.is_unbilled();
        let lines = match starting.anchor {
            _ if is_unbilled => Vec::new(),
            Some(anchor) if trial.is_none() => {
                self.beginning_lines(&starting.items, period, anchor.at)
            }
            _ => self.period_lines(&starting.items, period, trial.is_some()),
        };
        let due: i64 = lines.iter().map(|line| line.amount).sum();
        let mut subscription = self.new_subscription(starting, period, trial);
        let id = subscription.id.clone();
        let own = subscription.default_method.clone();
        let method = own.or_else(|| self.customer_method(&customer));
        let will_pay = self.predict(method.as_deref()) == Outcome::Succeeded;
        let mut intent = paid;
        let first = !self.config.starts_incomplete;
        if first && due > 0 && intent.is_none() && will_pay && how != Payment::Default {
            let new = self.new_intent(Some(&customer), due, &subscription.currency());
            self.try_payment(&new, method.as_deref());
            intent = Some(new);
        }
        let is_paid = due == 0 || intent.is_some();
        if due > 0 && !(first && is_paid) {
            subscription.status = Status::Incomplete;
        }
        self.bill_in(&customer, &subscription.currency());
        self.list_made("subscription", &id);
        self.subscriptions.insert(id.clone(), subscription);
        if is_unbilled {
            self.emit("customer.subscription.created", &id);
            return id;
        }
        let draft = Draft {
            reason: "subscription_create",
            lines,
            period: (now, now),
            finalizes_at: None,
            auto_advance: true,
        };
        let invoice = self.new_invoice(&id, draft);
        self.emit("customer.subscription.created", &id);
        self.emit("invoice.created", &invoice);
        if let Some(of) = self.invoices.get_mut(&invoice) {
            of.intent = intent;
        }
        if is_paid {
            self.finalize_untold(&invoice);
            self.mark_paid(&invoice);
        } else if how == Payment::Default {
            self.finalize(&invoice);
        } else {
            self.finalize_to_pay(&invoice, method.as_deref());
            self.attempt(&invoice, method.as_deref(), true);
        }
        self.announce_trial_end(&id);
        id
    }

    fn new_subscription(
        &mut self,
        starting: Starting,
        period: (i64, i64),
        trial: Option<(i64, i64)>,
    ) -> Subscription {
        let anchor = starting.anchor.map(|anchor| anchor.at);
        let mut subscription = Subscription {
            id: self.ids.next("sub"),
            clock: self.clock_of_customer(&starting.customer),
            customer: starting.customer,
            created: period.0,
            status: if trial.is_some() { Status::Trialing } else { Status::Active },
            items: starting.items,
            period,
            anchor: anchor.or(trial.map(|trial| trial.1)).unwrap_or(period.0),
            free_until_anchor: starting.anchor.is_some_and(|anchor| !anchor.charges),
            trial,
            announced: false,
            missing_method: starting.missing_method,
            cancel_at: None,
            at_period_end: false,
            canceled_at: None,
            ended_at: None,
            reason: None,
            comment: None,
            feedback: None,
            metadata: starting.metadata,
            description: starting.description,
            default_method: starting.method,
            payment_settings: starting.payment_settings,
            latest_invoice: None,
            pending_setup: None,
            pause: None,
            pending: None,
            schedule: None,
            flexible: starting.flexible,
            resuming: None,
        };
        if let Some(ending) = starting.ending {
            subscription.set_ending(ending, period.0);
        }
        subscription
    }

    /// Tells that a trial ends within three days, once.
    pub(in super::super) fn announce_trial_end(&mut self, id: &str) {
        let now = self.now_of(id);
        let Some(of) = self.subscriptions.get_mut(id) else { return };
        let near = of.trial.is_some_and(|trial| trial.1 - 3 * 86_400 <= now);
        if of.status == Status::Trialing && !of.announced && near {
            of.announced = true;
            self.emit("customer.subscription.trial_will_end", id);
        }
    }
}
