//! Changes of a subscription by a call.

use serde_json::Value;

use super::super::World;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::bill::{self, Change};
use super::ending::{self, Ending};
use super::form::{self, TrialEnd};
use super::{Item, Status, Subscription, interval_of};

const KNOWN: [&str; 18] = [
    "items",
    "metadata",
    "description",
    "proration_behavior",
    "proration_date",
    "payment_behavior",
    "cancel_at_period_end",
    "cancel_at",
    "cancellation_details",
    "trial_end",
    "trial_settings",
    "pause_collection",
    "default_payment_method",
    "payment_settings",
    "off_session",
    "billing_cycle_anchor",
    "collection_method",
    "currency",
];

impl World {
    pub(in super::super) fn update_subscription(
        &mut self,
        id: &str,
        form: &Form,
    ) -> Result<Answer, ApiError> {
        params::known(form, "", &KNOWN)?;
        let mut of = self.living(id)?.clone();
        let now = self.now_of(id);
        params::word(form, "collection_method", &["charge_automatically"])?;
        // It only tells the bank who is there to be asked.
        params::flag(form, "off_session")?;
        let trial_end = form::trial_end(form, now)?;
        let anchor = params::word(form, "billing_cycle_anchor", &["now", "unchanged"])?;
        Self::change_cancellation(&mut of, form, now)?;
        Self::change_fields(&mut of, form)?;
        let items = self.changed_items(form, &of.items, now)?;
        form::currency(form, items.as_deref().unwrap_or(&of.items))?;
        let ends_trial = matches!(trial_end, Some(TrialEnd::Now)) && of.status == Status::Trialing;
        let other_interval =
            items.as_ref().is_some_and(|items| interval_of(items) != of.interval());
        let begins = ends_trial || (of.is_billed() && (other_interval || anchor == Some("now")));
        let change =
            self.change_of(&of, items.unwrap_or_else(|| of.items.clone()), begins, form)?;
        if let Some(method) = params::field(form, "default_payment_method")? {
            of.default_method = match method {
                None => None,
                Some(method) => Some(self.usable(&method, Some(&of.customer))?),
            };
        }
        if ends_trial {
            of.status = Status::Active;
            of.trial = of.trial.map(|trial| (trial.0, now));
        }
        if let Some(TrialEnd::At(at)) = trial_end {
            Self::prolong(&mut of, now, at)?;
        }
        self.subscriptions.insert(id.to_owned(), of);
        self.change_billing(id, change);
        self.announce_trial_end(id);
        self.answer(id)
    }

    /// What other items mean for what is billed, in the way that a form asks for.
    pub(super) fn change_of(
        &self,
        of: &Subscription,
        items: Vec<Item>,
        begins: bool,
        form: &Form,
    ) -> Result<Change, ApiError> {
        let change = Change {
            items,
            begins,
            billing: bill::billing(form)?,
            payment: bill::payment(form)?,
            prorated_at: Self::proration_date(form, of.period)?,
        };
        if of.pending.is_some() && (begins || change.items != of.items) {
            let message = "This subscription has a pending update, which must be applied or \
                           expire first.";
            return Err(ApiError::state("subscription_pending_update", message));
        }
        self.payable(&of.id, &change)?;
        Ok(change)
    }

    /// The instant that a change is to be reckoned by, within the current period.
    fn proration_date(form: &Form, period: (i64, i64)) -> Result<Option<i64>, ApiError> {
        let at = params::time(form, "proration_date")?;
        if at.is_some_and(|at| !(period.0..=period.1).contains(&at)) {
            let message = "Cannot specify proration date outside of current subscription period.";
            return Err(ApiError::invalid("proration_date", message));
        }
        Ok(at)
    }

    /// A subscription that can still change.
    pub(super) fn living(&self, id: &str) -> Result<&Subscription, ApiError> {
        let missing = || ApiError::no_such("subscription", id, "id");
        let of = self.subscriptions.get(id).ok_or_else(missing)?;
        if of.status.is_final() {
            let message = "A canceled subscription can only update its cancellation_details and \
                           metadata.";
            return Err(ApiError::state("subscription_canceled", message));
        }
        Ok(of)
    }

    /// A trial until a date, from now on if there is none yet.
    fn prolong(of: &mut Subscription, now: i64, end: i64) -> Result<(), ApiError> {
        match of.status {
            Status::Trialing => {}
            Status::Active => {
                of.status = Status::Trialing;
                of.trial = Some((now, end));
                of.period.0 = now;
            }
            _ => {
                let message = "Only an active subscription can be given a trial.";
                return Err(ApiError::invalid("trial_end", message));
            }
        }
        of.trial = of.trial.map(|trial| (trial.0, end));
        of.anchor = end;
        of.announced = false;
        of.begin((of.period.0, end));
        Ok(())
    }

    fn change_cancellation(of: &mut Subscription, form: &Form, now: i64) -> Result<(), ApiError> {
        if let Some(details) = params::nested(form, "cancellation_details")? {
            params::known(details, "cancellation_details", &["comment", "feedback"])?;
            of.comment = params::text(details, "comment")?.or(of.comment.take());
            of.feedback = params::text(details, "feedback")?.or(of.feedback.take());
        }
        let Some(ending) = ending::asked(form, now)? else { return Ok(()) };
        if of.schedule.is_some() {
            let message = "The subscription is managed by a subscription schedule, and updating \
                           any cancelation behavior directly is not allowed.";
            return Err(ApiError::state("subscription_has_schedule", message));
        }
        if ending == Ending::PeriodEnd && of.period.1 <= now {
            return Err(ending::past());
        }
        of.set_ending(ending, now);
        Ok(())
    }

    fn change_fields(of: &mut Subscription, form: &Form) -> Result<(), ApiError> {
        of.metadata = params::metadata(form, of.metadata.clone())?;
        if let Some(description) = form::description(form)? {
            of.description = description;
        }
        of.payment_settings = of.payment_settings.changed(form)?;
        if let Some(missing) = form::missing_method(form)? {
            of.missing_method = missing;
        }
        match form.get("pause_collection") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => of.pause = None,
            Some(_) => {
                if let Some(pause) = params::nested(form, "pause_collection")? {
                    params::known(pause, "pause_collection", &["behavior", "resumes_at"])?;
                    let words = ["keep_as_draft", "mark_uncollectible", "void"];
                    let behavior = params::word(pause, "behavior", &words)?;
                    let param = "pause_collection[behavior]";
                    let behavior = behavior.ok_or_else(|| ApiError::missing(param))?;
                    of.pause = Some((behavior, params::time(pause, "resumes_at")?));
                }
            }
        }
        Ok(())
    }
}
