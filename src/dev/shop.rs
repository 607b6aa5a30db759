//! What the catalogue sells, put on sale in the simulator.

use ledger_domain::catalog::{Catalog, Interval, Plan};
use ledger_simulator::shell::{Account, CallError};
use ledger_simulator::world::{Answer, Method};
use serde_json::{Value, json};

/// Minor units a month for the first tier; each further one costs twice as much. The real amounts
/// are Stripe's, and the simulator stands in for Stripe.
const FIRST_TIER: i64 = 2900;
/// Likewise for add-ons.
const FIRST_ADD_ON: i64 = 900;
/// A year costs as much as so many months.
const MONTHS_PAID_IN_A_YEAR: i64 = 10;

/// A plan at an interval, which can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// The tier's level; add-ons have none.
    pub(super) level: Option<u32>,
    pub(super) price: String,
    pub(super) yearly: bool,
}

/// A price as the simulator is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Price {
    id: String,
    product: String,
    product_name: String,
    interval: Interval,
    amount: i64,
    is_sold: bool,
}

/// All that a catalogue sells.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    /// Tiers on sale by level, monthly and yearly.
    pub(super) tiers: Vec<Offer>,
    /// Add-ons on sale by rank, monthly.
    pub(super) add_ons: Vec<Offer>,
    pub(super) trial_days: i64,
    prices: Vec<Price>,
}

impl Shop {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let on_sale = |plans: &[Plan], intervals: &[Interval]| -> Vec<Offer> {
            let plans = plans.iter().filter(|plan| plan.is_active());
            let offers = plans.flat_map(|plan| {
                intervals.iter().filter_map(move |interval| offer(plan, *interval))
            });
            offers.collect()
        };
        let plans = |plans: &[Plan]| -> Vec<Price> {
            plans.iter().enumerate().flat_map(|(nth, plan)| prices(plan, nth)).collect()
        };
        Self {
            tiers: on_sale(catalog.tiers(), &Interval::ALL),
            add_ons: on_sale(catalog.add_ons(), &[Interval::Month]),
            trial_days: i64::from(catalog.policies().trial_days),
            prices: [plans(catalog.tiers()), plans(catalog.add_ons())].concat(),
        }
    }

    /// The offer that has a price.
    pub(super) fn offer(&self, price: &str) -> Option<&Offer> {
        self.tiers.iter().chain(&self.add_ons).find(|offer| offer.price == price)
    }

    /// The next tier up or down at the same interval.
    pub(super) fn beside(&self, offer: &Offer, up: bool) -> Option<&Offer> {
        let same = self.tiers.iter().filter(|other| other.yearly == offer.yearly);
        if up {
            same.filter(|other| other.level > offer.level).min_by_key(|other| other.level)
        } else {
            same.filter(|other| other.level < offer.level).max_by_key(|other| other.level)
        }
    }

    /// Makes the products and prices that aren't there yet.
    ///
    /// # Errors
    /// When the account refuses one, or can't write it down.
    pub(super) fn open(&self, account: &mut Account) -> Result<(), CallError> {
        for price in &self.prices {
            if account.world().find(&price.product).is_none() {
                let product = json!({ "id": price.product, "name": price.product_name });
                post(account, "/v1/products", product)?;
            }
            if account.world().find(&price.id).is_none() {
                let form = json!({
                    "id": price.id,
                    "lookup_key": price.id,
                    "product": price.product,
                    "currency": "usd",
                    "unit_amount": price.amount.to_string(),
                    "recurring": { "interval": price.interval.as_str() },
                    "active": price.is_sold.to_string(),
                });
                post(account, "/v1/prices", form)?;
            }
        }
        Ok(())
    }
}

/// Posts a form; its leaves are texts.
pub(super) fn post(account: &mut Account, path: &str, form: Value) -> Result<Value, CallError> {
    let params = match form {
        Value::Object(params) => params,
        _ => serde_json::Map::new(),
    };
    match account.call(Method::Post, path, params)? {
        Answer::Object(object) => Ok(object),
        Answer::List { .. } => Ok(Value::Null),
    }
}

fn offer(plan: &Plan, interval: Interval) -> Option<Offer> {
    Some(Offer {
        level: plan.level(),
        price: plan.sold_price(interval)?.to_string(),
        yearly: interval == Interval::Year,
    })
}

/// All prices of the nth plan, those of old subscriptions included.
fn prices(plan: &Plan, nth: usize) -> Vec<Price> {
    let doublings = u32::try_from(nth).unwrap_or(0).min(8);
    let month = if plan.is_tier() { FIRST_TIER } else { FIRST_ADD_ON } * 2_i64.pow(doublings);
    let at = |interval: Interval| {
        plan.prices(interval).iter().enumerate().map(move |(age, id)| Price {
            id: id.to_string(),
            product: format!("prod_{}", plan.slug()),
            product_name: plan.name().to_owned(),
            interval,
            amount: match interval {
                Interval::Month => month,
                Interval::Year => month * MONTHS_PAID_IN_A_YEAR,
            },
            is_sold: plan.is_active() && age == 0,
        })
    };
    Interval::ALL.into_iter().flat_map(at).collect()
}
