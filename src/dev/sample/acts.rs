//! What trainers do, as calls to the simulator.

use ledger_simulator::shell::{Account, CallError, JournalError};
use ledger_simulator::world::Method;
use serde_json::{Map, Value, json};

use super::agenda::{Act, Agenda};
use super::dice::Dice;
use super::{DAY, MARK};
use crate::dev::shop::{self, Offer, Shop};

const HOUR: i64 = 3_600;
const GOOD_CARD: &str = "pm_card_visa";
const BAD_CARD: &str = "pm_card_chargeCustomerFail";

/// A trainer.
#[derive(Debug)]
pub(super) struct Life {
    trainer: String,
    /// What they sign up for.
    offer: Offer,
    has_trial: bool,
    card: &'static str,
    /// Whether theirs is a story that chance must not touch.
    pub(super) is_told: bool,
    customer: String,
    /// Subscriptions, once there are any.
    tier: Option<String>,
    add_on: Option<String>,
    dispute: Option<String>,
}

impl Life {
    pub(super) fn new(trainer: String, offer: Offer, has_trial: bool, card: &'static str) -> Self {
        Self {
            trainer,
            offer,
            has_trial,
            card,
            is_told: false,
            customer: String::new(),
            tier: None,
            add_on: None,
            dispute: None,
        }
    }
}

/// Everybody, and what they are yet to do.
pub(super) struct Player<'a> {
    account: &'a mut Account,
    pub(super) shop: &'a Shop,
    pub(super) dice: Dice,
    pub(super) agenda: Agenda,
    pub(super) lives: Vec<Life>,
    pub(super) until: i64,
    /// What the simulator refused other than a card, which would be a mistake in here.
    pub(super) refused: Vec<String>,
}

type Written<T> = Result<T, JournalError>;

impl<'a> Player<'a> {
    pub(super) fn new(account: &'a mut Account, shop: &'a Shop, seed: u64, until: i64) -> Self {
        Self {
            account,
            shop,
            dice: Dice::new(seed),
            agenda: Agenda::default(),
            lives: Vec::new(),
            until,
            refused: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.account.world().now()
    }

    /// Lets the next thing happen and tells when that was; none when the end has come.
    pub(super) fn step(&mut self) -> Written<Option<i64>> {
        let Some((at, trainer, act)) = self.agenda.next(self.until) else {
            self.account.advance_to(self.until)?;
            return Ok(None);
        };
        self.account.advance_to(at)?;
        self.act(trainer, act)?;
        Ok(Some(at))
    }

    fn act(&mut self, trainer: usize, act: Act) -> Written<()> {
        match act {
            Act::SignUp => return self.sign_up(trainer),
            Act::CloseDispute => return self.close_dispute(trainer),
            Act::CancelAddOn => return self.cancel_add_on(trainer),
            _ => {}
        }
        // All else is for those who have a tier.
        let Some(tier) = self.living(self.lives[trainer].tier.as_deref()) else { return Ok(()) };
        match act {
            Act::Live => self.live(trainer),
            Act::Upgrade => self.upgrade(&tier)?,
            Act::ScheduleDowngrade => self.schedule_downgrade(trainer, &tier)?,
            Act::TakeDowngradeBack => self.take_downgrade_back(&tier)?,
            Act::CancelAtEnd => self.cancel_at_end(trainer, &tier)?,
            Act::ChangeMind => self.change_mind(&tier)?,
            Act::CancelNow => self.delete(&tier)?,
            Act::CardFails => self.card_fails(trainer, &tier)?,
            Act::CardWorks => self.card_works(trainer, &tier)?,
            Act::PayOpenInvoice => self.pay_open_invoice(&tier)?,
            Act::Refund => self.refund(&tier)?,
            Act::Dispute => self.dispute(trainer, &tier)?,
            Act::BuyAddOn => self.buy_add_on(trainer)?,
            Act::SignUp | Act::CloseDispute | Act::CancelAddOn => {}
        }
        Ok(())
    }

    fn sign_up(&mut self, trainer: usize) -> Written<()> {
        let life = &self.lives[trainer];
        let metadata = json!({ "trainer_id": life.trainer, MARK: "true" });
        let (offer, card) = (life.offer.clone(), life.card);
        let trial_days = if life.has_trial { self.shop.trial_days } else { 0 };
        let form = json!({ "metadata": metadata });
        let Some(customer) = self.post("/v1/customers", form)? else { return Ok(()) };
        text(&customer["id"]).clone_into(&mut self.lives[trainer].customer);
        // Some look at the price and go away; their page expires by itself.
        let is_told = self.lives[trainer].is_told;
        let card = if !is_told && self.dice.chance(4) { None } else { Some(card) };
        self.lives[trainer].tier = self.check_out(trainer, &offer, trial_days, card)?;
        if self.lives[trainer].tier.is_some() && !is_told {
            let first = self.now() + self.dice.between(DAY, 25 * DAY);
            self.agenda.plan(first, trainer, Act::Live);
        }
        Ok(())
    }

    /// A checkout page and, with a card, what is done there. The subscription that came of it.
    fn check_out(
        &mut self,
        trainer: usize,
        offer: &Offer,
        trial_days: i64,
        card: Option<&str>,
    ) -> Written<Option<String>> {
        let life = &self.lives[trainer];
        let mut data = json!({ "metadata": { "trainer_id": life.trainer } });
        if trial_days > 0 {
            data["trial_period_days"] = json!(trial_days.to_string());
        }
        let form = json!({
            "mode": "subscription",
            "customer": life.customer,
            "client_reference_id": life.trainer,
            "success_url": "https://app.example.test/welcome",
            "line_items": [{ "price": offer.price, "quantity": "1" }],
            "subscription_data": data,
        });
        let Some(session) = self.post("/v1/checkout/sessions", form)? else { return Ok(None) };
        let page = format!("/v1/test_helpers/checkout/sessions/{}", text(&session["id"]));
        let Some(card) = card else { return Ok(None) };
        if self.dice.chance(5) {
            self.post(&format!("{page}/decline"), json!({}))?;
        }
        let paid = self.post(&format!("{page}/pay"), json!({ "payment_method": card }))?;
        Ok(paid.and_then(|paid| paid["subscription"].as_str().map(str::to_owned)))
    }

    /// At once, with what is left of the old price given back.
    fn upgrade(&mut self, tier: &Value) -> Written<()> {
        let offer = self.offer_of(tier);
        let Some(next) = offer.and_then(|offer| self.shop.beside(offer, true)) else {
            return Ok(());
        };
        if !is_settled(tier) {
            return Ok(());
        }
        let item = &tier["items"]["data"][0]["id"];
        let form = json!({
            "items": [{ "id": item, "price": next.price }],
            "proration_behavior": "always_invoice",
        });
        self.post(&path_of(tier), form)?;
        Ok(())
    }

    /// A cheaper tier from the period's end on.
    fn schedule_downgrade(&mut self, trainer: usize, tier: &Value) -> Written<()> {
        let offer = self.offer_of(tier);
        let next = offer.and_then(|offer| self.shop.beside(offer, false)).cloned();
        let (Some(next), true) = (next, is_settled(tier)) else { return Ok(()) };
        let form = json!({ "from_subscription": tier["id"] });
        let Some(schedule) = self.post("/v1/subscription_schedules", form)? else {
            return Ok(());
        };
        let phase = &schedule["phases"][0];
        let time = |name: &str| json!(phase[name].to_string());
        let form = json!({ "phases": [
            { "items": [{ "price": phase["items"][0]["price"], "quantity": "1" }],
              "start_date": time("start_date"), "end_date": time("end_date") },
            { "items": [{ "price": next.price, "quantity": "1" }], "proration_behavior": "none" },
        ]});
        self.post(&format!("/v1/subscription_schedules/{}", text(&schedule["id"])), form)?;
        if !self.lives[trainer].is_told && self.dice.chance(20) {
            let at = self.dice.between(self.now(), period_end(tier));
            self.agenda.plan(at, trainer, Act::TakeDowngradeBack);
        }
        Ok(())
    }

    fn take_downgrade_back(&mut self, tier: &Value) -> Written<()> {
        let path = match tier["schedule"].as_str() {
            Some(schedule) => format!("/v1/subscription_schedules/{schedule}/release"),
            None => return Ok(()),
        };
        self.post(&path, json!({})).map(drop)
    }

    fn cancel_at_end(&mut self, trainer: usize, tier: &Value) -> Written<()> {
        if !(is_settled(tier) || tier["status"] == "trialing" && tier["cancel_at"].is_null()) {
            return Ok(());
        }
        let form = json!({
            "cancel_at_period_end": "true",
            "cancellation_details": { "feedback": "too_expensive" },
        });
        self.post(&path_of(tier), form)?;
        if !self.lives[trainer].is_told && self.dice.chance(25) {
            let at = self.dice.between(self.now(), period_end(tier));
            self.agenda.plan(at, trainer, Act::ChangeMind);
        }
        Ok(())
    }

    fn change_mind(&mut self, tier: &Value) -> Written<()> {
        if tier["cancel_at"].is_null() {
            return Ok(());
        }
        self.post(&path_of(tier), json!({ "cancel_at_period_end": "false" })).map(drop)
    }

    fn delete(&mut self, subscription: &Value) -> Written<()> {
        match self.account.call(Method::Delete, &path_of(subscription), Map::new()) {
            Ok(_) => Ok(()),
            Err(error) => self.note(&path_of(subscription), error),
        }
    }

    /// From now on payments are declined, until the owner notices; some notice too late.
    fn card_fails(&mut self, trainer: usize, tier: &Value) -> Written<()> {
        self.post(&path_of(tier), json!({ "default_payment_method": BAD_CARD }))?;
        if !self.lives[trainer].is_told {
            let days = [1, 2, 4, 6, 9, 20][usize::try_from(self.dice.below(6)).unwrap_or(0)];
            let at = period_end(tier) + HOUR + days * DAY;
            self.agenda.plan(at, trainer, Act::CardWorks);
        }
        Ok(())
    }

    fn card_works(&mut self, trainer: usize, tier: &Value) -> Written<()> {
        self.post(&path_of(tier), json!({ "default_payment_method": GOOD_CARD }))?;
        let at = self.now() + self.dice.between(10, 600);
        self.agenda.plan(at, trainer, Act::PayOpenInvoice);
        Ok(())
    }

    fn pay_open_invoice(&mut self, tier: &Value) -> Written<()> {
        let invoice = tier["latest_invoice"].as_str().unwrap_or_default();
        let found = self.account.world().find(invoice);
        if found.is_some_and(|invoice| invoice["status"] == "open") {
            self.post(&format!("/v1/invoices/{invoice}/pay"), json!({}))?;
        }
        Ok(())
    }

    /// All of the last payment or half of it is given back.
    fn refund(&mut self, tier: &Value) -> Written<()> {
        let Some(charge) = self.last_charge(tier) else { return Ok(()) };
        let whole = charge["amount"].as_i64().unwrap_or_default();
        let amount = if self.dice.chance(50) { whole } else { whole / 2 };
        let form = json!({ "charge": charge["id"], "amount": amount.to_string(),
            "reason": "requested_by_customer" });
        self.post("/v1/refunds", form).map(drop)
    }

    /// The bank takes the last payment back until the dispute is decided.
    fn dispute(&mut self, trainer: usize, tier: &Value) -> Written<()> {
        let Some(charge) = self.last_charge(tier) else { return Ok(()) };
        let form = json!({ "charge": charge["id"], "reason": "product_not_received" });
        let Some(dispute) = self.post("/v1/test_helpers/disputes", form)? else { return Ok(()) };
        self.lives[trainer].dispute = dispute["id"].as_str().map(str::to_owned);
        if !self.lives[trainer].is_told {
            let at = self.now() + self.dice.between(15 * DAY, 45 * DAY);
            self.agenda.plan(at, trainer, Act::CloseDispute);
        }
        Ok(())
    }

    fn close_dispute(&mut self, trainer: usize) -> Written<()> {
        let Some(dispute) = self.lives[trainer].dispute.take() else { return Ok(()) };
        let status = if self.dice.chance(50) { "won" } else { "lost" };
        let path = format!("/v1/test_helpers/disputes/{dispute}/close");
        self.post(&path, json!({ "status": status })).map(drop)
    }

    fn buy_add_on(&mut self, trainer: usize) -> Written<()> {
        let count = i64::try_from(self.shop.add_ons.len()).unwrap_or(0);
        if count == 0 || self.living(self.lives[trainer].add_on.as_deref()).is_some() {
            return Ok(());
        }
        let pick = usize::try_from(self.dice.below(count)).unwrap_or(0);
        let offer = self.shop.add_ons[pick].clone();
        self.lives[trainer].add_on = self.check_out(trainer, &offer, 0, Some(GOOD_CARD))?;
        if !self.lives[trainer].is_told && self.dice.chance(40) {
            let at = self.now() + self.dice.between(5 * DAY, 60 * DAY);
            self.agenda.plan(at, trainer, Act::CancelAddOn);
        }
        Ok(())
    }

    fn cancel_add_on(&mut self, trainer: usize) -> Written<()> {
        let Some(add_on) = self.living(self.lives[trainer].add_on.as_deref()) else {
            return Ok(());
        };
        if self.dice.chance(30) {
            return self.delete(&add_on);
        }
        self.post(&path_of(&add_on), json!({ "cancel_at_period_end": "true" })).map(drop)
    }

    /// A subscription that isn't over.
    fn living(&self, id: Option<&str>) -> Option<Value> {
        let found = self.account.world().find(id?)?;
        (found["status"] != "canceled" && found["status"] != "incomplete_expired").then_some(found)
    }

    fn offer_of(&self, subscription: &Value) -> Option<&'a Offer> {
        self.shop.offer(text(&subscription["items"]["data"][0]["price"]["id"]))
    }

    /// The charge that paid the latest invoice, if nothing was done about it yet.
    fn last_charge(&self, subscription: &Value) -> Option<Value> {
        let world = self.account.world();
        let payments = world.payments_of(subscription["latest_invoice"].as_str()?)?;
        let payment = &payments["data"][0]["payment"]["payment_intent"];
        let charge = world.find(world.find(payment.as_str()?)?["latest_charge"].as_str()?)?;
        let is_untouched = charge["status"] == "succeeded"
            && charge["amount_refunded"] == 0
            && charge["disputed"] == false;
        is_untouched.then_some(charge)
    }

    /// Posts a form. What is refused doesn't happen, as in life.
    fn post(&mut self, path: &str, form: Value) -> Written<Option<Value>> {
        match shop::post(self.account, path, form) {
            Ok(object) => Ok(Some(object)),
            Err(error) => self.note(path, error).map(|()| None),
        }
    }

    fn note(&mut self, path: &str, error: CallError) -> Written<()> {
        match error {
            CallError::Journal(error) => Err(error),
            CallError::Refused(error) => {
                if error.kind != "card_error" {
                    self.refused.push(format!("{path}: {}", error.message));
                }
                Ok(())
            }
        }
    }
}

/// Whether it runs on and nobody has asked it to end or change.
fn is_settled(subscription: &Value) -> bool {
    subscription["status"] == "active"
        && subscription["schedule"].is_null()
        && subscription["cancel_at"].is_null()
}

fn period_end(subscription: &Value) -> i64 {
    subscription["items"]["data"][0]["current_period_end"].as_i64().unwrap_or_default()
}

fn path_of(subscription: &Value) -> String {
    format!("/v1/subscriptions/{}", text(&subscription["id"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
