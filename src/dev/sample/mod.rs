//! Months in the life of a small product, told by webhooks.
//!
//! [`history`] makes them up: a world of trainers, subscriptions and invoices in which things
//! happen by chance, but always the same things for the same seed and the same last day. To let
//! something else happen, add a `Step`, what it does in `life.rs` or `payment.rs`, and how often in
//! `plan_period`.

mod dice;
mod life;
mod objects;
mod offer;
mod payment;
mod send;
mod world;

pub(crate) use send::{Target, send};
pub(crate) use world::Webhook;

use ledger_domain::catalog::Catalog;

use offer::Shop;
use world::{Holding, Step, Trainer, World};

const DAY: i64 = 86_400;
/// How far back the sample begins.
const DAYS: i64 = 270;
/// How many trainers sign up in that time.
const TRAINERS: usize = 240;
const SEED: u64 = 20_260_101;
/// How many lives are looked at.
const LIVES_MAX: u64 = 12;

/// A made-up history.
pub(crate) struct History {
    /// What Stripe tells, oldest first.
    pub(crate) webhooks: Vec<Webhook>,
    /// Trainers worth looking at, with what is worth seeing.
    pub(crate) cast: Vec<(&'static str, String)>,
    /// How many trainers signed up.
    pub(crate) trainers: usize,
}

/// Makes up the months before `until`; none if the catalogue sells no tier. Of a few lives the one
/// is told that ends with the most situations, so that there is something to see on every day.
pub(crate) fn history(catalog: &Catalog, until: i64) -> Option<History> {
    let shop = Shop::new(catalog)?;
    let mut best: Option<History> = None;
    for seed in SEED..SEED + LIVES_MAX {
        let life = live(seed, shop.clone(), until);
        if best.as_ref().is_none_or(|best| life.cast.len() > best.cast.len()) {
            best = Some(life);
        }
        if best.as_ref().is_some_and(|best| best.cast.len() == SITUATIONS.len()) {
            break;
        }
    }
    best
}

fn live(seed: u64, shop: Shop, until: i64) -> History {
    let start = until - DAYS * DAY;
    let mut world = World::new(seed, shop, start);
    open_shop(&mut world);
    for _ in 0..TRAINERS {
        arrive(&mut world, start, until);
    }
    world.run(until);
    let cast = cast(&world);
    History { webhooks: world.webhooks, cast, trainers: world.trainers.len() }
}

/// Products and prices are made before anybody buys.
fn open_shop(world: &mut World) {
    let offers: Vec<_> = world.shop.tiers.iter().chain(&world.shop.add_ons).cloned().collect();
    for (nth, offer) in offers.iter().enumerate() {
        let is_new = offers[..nth].iter().all(|other| other.product != offer.product);
        if is_new {
            let product = objects::product(offer, world.now);
            world.tell("product.created", &product);
        }
        let price = objects::price(offer, world.now);
        world.tell("price.created", &price);
    }
}

/// A trainer signs up some day, more likely late than early: the product grows.
fn arrive(world: &mut World, start: i64, until: i64) {
    let at = world.dice.between(start, until).max(world.dice.between(start, until));
    let customer = world.id("cus");
    let id = format!("trn_{}", world.dice.letters(10));
    world.trainers.push(Trainer { id, customer });
    let weights: Vec<i64> = world
        .shop
        .tiers
        .iter()
        .map(|offer| {
            60 / i64::from(offer.level.unwrap_or(1).max(1)) / if offer.yearly { 4 } else { 1 }
        })
        .map(|weight| weight.max(1))
        .collect();
    let pick = world.dice.weighted(&weights);
    let offer = world.shop.tiers[pick].clone();
    world.holdings.push(Holding::new(world.trainers.len() - 1, offer));
    let holding = world.holdings.len() - 1;
    world.plan(at, holding, Step::SignUp);
}

/// Whether a holding of a tier is in a situation.
type Test = fn(&World, &Holding) -> bool;

/// The situations that are worth a look.
const SITUATIONS: [(&str, Test); 6] = [
    ("in a trial", |_, h| h.status() == "trialing"),
    ("paying, with an add-on", |w, h| h.is_settled() && has_add_on(w, h.trainer)),
    ("late with a payment", |_, h| h.status() == "past_due"),
    ("about to go down a tier", |_, h| h.schedule.is_some() && h.status() == "active"),
    ("about to leave", |_, h| h.status() == "active" && h.is_ending()),
    ("gone", |_, h| h.status() == "canceled"),
];

fn has_add_on(world: &World, trainer: usize) -> bool {
    let mut others = world.holdings.iter().filter(|other| other.trainer == trainer);
    others.any(|other| other.offer.level.is_none() && other.status() == "active")
}

/// One trainer for each situation that somebody is in at the end.
fn cast(world: &World) -> Vec<(&'static str, String)> {
    let tiers = || world.holdings.iter().filter(|holding| holding.offer.level.is_some());
    let found = SITUATIONS.into_iter().filter_map(|(label, test)| {
        let holding = tiers().find(|holding| test(world, holding))?;
        Some((label, world.trainers[holding.trainer].id.clone()))
    });
    found.collect()
}

#[cfg(test)]
mod tests;
