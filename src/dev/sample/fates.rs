//! Who signs up when, and what chance brings.

use super::acts::{Life, Player};
use super::agenda::Act;
use super::{DAY, TRAINERS};
use crate::dev::shop::Offer;

/// A trainer whose story ends in a situation that is worth a look: how many days before the end
/// they sign up, and what they do how many days before it.
struct Story {
    signs_up: i64,
    has_trial: bool,
    /// Whether they begin on the second tier.
    is_advanced: bool,
    card: &'static str,
    acts: &'static [(i64, Act)],
}

const GOOD_CARD: &str = "pm_card_visa";
/// It's accepted, and then every payment is declined.
const BAD_CARD: &str = "pm_card_chargeCustomerFail";

const PAYING: Story =
    Story { signs_up: 50, has_trial: false, is_advanced: false, card: GOOD_CARD, acts: &[] };

const STORIES: [Story; 8] = [
    Story { signs_up: 3, has_trial: true, ..PAYING },
    Story { signs_up: 70, acts: &[(48, Act::BuyAddOn)], ..PAYING },
    // The renewal was two to five days ago.
    Story { signs_up: 33, acts: &[(20, Act::CardFails)], ..PAYING },
    Story { is_advanced: true, acts: &[(3, Act::ScheduleDowngrade)], ..PAYING },
    Story { acts: &[(4, Act::CancelAtEnd)], ..PAYING },
    Story { signs_up: 90, acts: &[(40, Act::Refund), (20, Act::CancelNow)], ..PAYING },
    Story { signs_up: 80, has_trial: true, card: BAD_CARD, ..PAYING },
    Story { signs_up: 25, acts: &[(6, Act::Dispute)], ..PAYING },
];

/// What a month brings, and how often.
const FATES: [(i64, Option<Act>); 10] = [
    (61, None),
    (7, Some(Act::Upgrade)),
    (5, Some(Act::ScheduleDowngrade)),
    (6, Some(Act::CancelAtEnd)),
    (2, Some(Act::CancelNow)),
    (6, Some(Act::CardFails)),
    (2, Some(Act::Refund)),
    (2, Some(Act::Dispute)),
    (7, Some(Act::BuyAddOn)),
    (2, Some(Act::CancelAddOn)),
];

impl Player<'_> {
    /// Plans who signs up when.
    pub(super) fn plan_lives(&mut self, start: i64) {
        let until = self.until;
        let monthly = |offer: &&Offer| !offer.yearly;
        let tiers: Vec<Offer> = self.shop.tiers.iter().filter(monthly).cloned().collect();
        let Some(first) = tiers.first().or(self.shop.tiers.first()).cloned() else { return };
        for story in &STORIES {
            let second = tiers.get(1).filter(|_| story.is_advanced);
            let offer = second.unwrap_or(&first).clone();
            let trainer = self.arrive(offer, story.has_trial, story.card);
            self.lives[trainer].is_told = true;
            self.agenda.plan(until - story.signs_up * DAY, trainer, Act::SignUp);
            for (days, act) in story.acts {
                self.agenda.plan(until - days * DAY, trainer, *act);
            }
        }
        while self.lives.len() < TRAINERS {
            self.plan_life(start);
        }
    }

    /// Somebody signs up some day, more likely late than early: the product grows.
    fn plan_life(&mut self, start: i64) {
        let until = self.until;
        let at = self.dice.between(start, until).max(self.dice.between(start, until));
        let weight = |offer: &Offer| {
            let weight = 60 / i64::from(offer.level.unwrap_or(1).max(1));
            (weight / if offer.yearly { 4 } else { 1 }).max(1)
        };
        let weights: Vec<i64> = self.shop.tiers.iter().map(weight).collect();
        let pick = self.dice.weighted(&weights);
        let offer = self.shop.tiers[pick].clone();
        // Some have tried the product before, and some never mean to pay.
        let has_trial = self.dice.chance(70);
        let card = if self.dice.chance(4) { BAD_CARD } else { GOOD_CARD };
        let trainer = self.arrive(offer, has_trial, card);
        self.agenda.plan(at, trainer, Act::SignUp);
    }

    fn arrive(&mut self, offer: Offer, has_trial: bool, card: &'static str) -> usize {
        let name = format!("trn_{}", self.dice.letters(10));
        self.lives.push(Life::new(name, offer, has_trial, card));
        self.lives.len() - 1
    }

    /// Another month of somebody's life.
    pub(super) fn live(&mut self, trainer: usize) {
        let weights = FATES.map(|(weight, _)| weight);
        let fate = FATES[self.dice.weighted(&weights)].1;
        let now = self.now();
        if let Some(act) = fate {
            self.agenda.plan(now, trainer, act);
        }
        let next = now + self.dice.between(20 * DAY, 40 * DAY);
        self.agenda.plan(next, trainer, Act::Live);
    }
}
