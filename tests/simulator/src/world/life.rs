//! Lives of a product: what customers, cards, banks and time may do to it, for property tests.
//!
//! A life is a list of [`Step`]s, which proptest can make and shrink. It is total: a step that
//! makes no sense where it stands is refused by the world like any other call.
//!
//! ```
//! use ledger_simulator::world::life::{Step, life};
//!
//! let world = life(&[
//!     Step::Customer { card: 0, clock: false },
//!     Step::Subscribe { customer: 0, price: 0, behavior: 0, classic: false, missing: 0 },
//!     Step::Wait { hours: 24 * 32 },
//! ]);
//! assert_eq!(world.truth()[0].prices, ["price_starter_month"]);
//! ```

mod play;
mod random;

use super::{Config, World};
use play::Player;

pub use random::{random_life, random_steps};

/// The prices of a life: id, which is also the lookup key, interval, and amount in cents.
pub const PRICES: [(&str, &str, i64); 9] = [
    ("price_starter_month", "month", 1_900),
    ("price_professional_month", "month", 4_900),
    ("price_enterprise_month", "month", 14_900),
    ("price_starter_year", "year", 19_000),
    ("price_professional_year", "year", 49_000),
    ("price_enterprise_year", "year", 149_000),
    ("price_ai_starter_month", "month", 900),
    ("price_ai_professional_month", "month", 2_900),
    ("price_ai_enterprise_month", "month", 9_900),
];

/// The cards of a life: one that works, one that fails later, one to authenticate, one that can't
/// be attached at all.
pub const CARDS: [&str; 4] = [
    "pm_card_visa",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
    "pm_card_chargeDeclined",
];

/// One thing that happens. Numbers choose among what there is, counted round and round; steps
/// without a wait between them happen within one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are choices, which the variants explain")]
pub enum Step {
    /// Real time passes.
    Wait { hours: u16 },
    /// The test clock, if a customer lives by one, moves on.
    Clock { hours: u16 },
    /// There is another customer, of three at most.
    Customer { card: u8, clock: bool },
    /// A customer gets another default card.
    Card { customer: u8, card: u8 },
    /// A subscription by a checkout page; no trial for zero days. Some say what is to happen when a
    /// trial ends without a card, and then the page doesn't ask for one.
    Checkout { customer: u8, price: u8, card: u8, trial_days: u8, missing: u8 },
    /// A subscription by a call. Some say what is to happen when a trial ends without a card, and
    /// then there is a trial, and the customer has no card any more.
    Subscribe { customer: u8, price: u8, behavior: u8, classic: bool, missing: u8 },
    /// A subscription by a checkout page that doesn't name the trainer where it usually stands:
    /// only in the session, another one there, nowhere, or of a customer who is new.
    Page { customer: u8, price: u8, names: u8 },
    /// A subscription by a call to two things, or to several of one.
    Bundle { customer: u8, price: u8, more: u8, quantity: u8 },
    /// A thing more or less in a subscription, or another number of the first.
    Items { subscription: u8, price: u8, how: u8 },
    /// A subscription's metadata name another trainer, or none any more.
    Assign { subscription: u8, trainer: u8 },
    /// A customer's metadata name a trainer, or none any more.
    Name { customer: u8, trainer: u8 },
    /// Another price at once.
    Change { subscription: u8, price: u8, billing: u8, behavior: u8 },
    /// Another price from the period's end or its middle on, for some time or until the end, or
    /// just an end.
    Schedule { subscription: u8, price: u8, form: u8 },
    /// The schedule is taken back.
    Release { subscription: u8 },
    /// A cancellation at the period's end is wanted, or no longer.
    CancelAtEnd { subscription: u8, on: bool },
    /// A cancellation in so many days is wanted, or no longer for zero days.
    CancelAt { subscription: u8, days: u8 },
    /// An immediate cancellation.
    Cancel { subscription: u8 },
    /// Collection is paused in one of three ways, some until a day, or no longer.
    Pause { subscription: u8, on: bool, how: u8 },
    /// A paused subscription goes on, and its customer has a card again.
    Resume { subscription: u8, card: u8 },
    /// A trial is given, or ended for zero days.
    Trial { subscription: u8, days: u8 },
    /// A key of the metadata changes.
    Label { subscription: u8, value: u8 },
    /// An invoice is paid that is open, given up or still a draft.
    Pay { invoice: u8, card: u8 },
    /// An open invoice is withdrawn.
    Void { invoice: u8 },
    /// An open invoice is given up.
    Uncollectible { invoice: u8 },
    /// The owner of a card answers the bank.
    Authenticate { intent: u8, succeeds: bool },
    /// A part of a charge in percent is given back.
    Refund { charge: u8, percent: u8 },
    /// A refund doesn't arrive.
    FailRefund { refund: u8 },
    /// A charge is disputed, or only asked about.
    Dispute { charge: u8, inquiry: bool },
    /// The seller says something about a dispute, and submits it or not yet.
    Evidence { dispute: u8, submit: bool },
    /// A dispute is decided.
    CloseDispute { dispute: u8, outcome: u8 },
    /// A price gets another nickname, or can't be bought any more, or can be again.
    SetPrice { price: u8, how: u8 },
    /// A product gets another name.
    SetProduct { product: u8, name: u8 },
    /// A customer is deleted.
    Forget { customer: u8 },
}

/// The world after these steps, from an empty account with the [`PRICES`].
#[must_use]
pub fn life(steps: &[Step]) -> World {
    life_in(Config::default(), steps)
}

/// The same from an account with other settings: its seed decides all ids.
#[must_use]
pub fn life_in(config: Config, steps: &[Step]) -> World {
    let mut player = Player::new(config);
    for step in steps {
        player.play(*step);
    }
    player.world
}
