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
//!     Step::Subscribe { customer: 0, price: 0, behavior: 0, classic: false },
//!     Step::Wait { hours: 24 * 32 },
//! ]);
//! assert_eq!(world.truth()[0].prices, ["price_starter_month"]);
//! ```

mod play;

use rand::Rng;

use super::{Config, World};
use play::Player;

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
    /// A subscription by a checkout page; no trial for zero days.
    Checkout { customer: u8, price: u8, card: u8, trial_days: u8 },
    /// A subscription by a call.
    Subscribe { customer: u8, price: u8, behavior: u8, classic: bool },
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
    /// Another price from the period's end on.
    Schedule { subscription: u8, price: u8 },
    /// The schedule is taken back.
    Release { subscription: u8 },
    /// A cancellation at the period's end is wanted, or no longer.
    CancelAtEnd { subscription: u8, on: bool },
    /// An immediate cancellation.
    Cancel { subscription: u8 },
    /// Collection is paused, or no longer.
    Pause { subscription: u8, on: bool },
    /// A paused subscription goes on.
    Resume { subscription: u8 },
    /// A trial is given, or ended for zero days.
    Trial { subscription: u8, days: u8 },
    /// A key of the metadata changes.
    Label { subscription: u8, value: u8 },
    /// An open invoice is paid.
    Pay { invoice: u8, card: u8 },
    /// An open invoice is given up.
    Void { invoice: u8 },
    /// The owner of a card answers the bank.
    Authenticate { intent: u8, succeeds: bool },
    /// A part of a charge in percent is given back.
    Refund { charge: u8, percent: u8 },
    /// A refund doesn't arrive.
    FailRefund { refund: u8 },
    /// A charge is disputed.
    Dispute { charge: u8 },
    /// A dispute is decided.
    CloseDispute { dispute: u8, outcome: u8 },
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

/// A random life, and the steps that make it again.
pub fn random_life(rng: &mut impl Rng, steps: usize) -> (World, Vec<Step>) {
    let mut taken = vec![Step::Customer { card: 0, clock: false }];
    taken.extend((0..steps).map(|_| random_step(rng)));
    (life(&taken), taken)
}

/// A random step. Waiting is the most frequent, so that things fall due.
pub fn random_step(rng: &mut impl Rng) -> Step {
    let [kind, a, b, c, d, ..] = rng.next_u64().to_le_bytes();
    let on = b.is_multiple_of(2);
    // Most cards work, so that most lives get somewhere.
    let card = if c < 160 { 0 } else { c };
    let hours = [1, 2, 24, 24 * 3, 24 * 8, 24 * 31, 24 * 62, 24 * 366][usize::from(a % 8)];
    match kind % 48 {
        0..=7 => Step::Wait { hours },
        8 => Step::Clock { hours },
        9 => Step::Customer { card, clock: on },
        10 => Step::Card { customer: a, card },
        11..=13 => Step::Checkout {
            customer: a,
            price: b,
            card,
            trial_days: if d < 90 { d % 20 } else { 0 },
        },
        14 | 15 => Step::Subscribe { customer: a, price: b, behavior: d, classic: c % 3 == 0 },
        16 | 17 => Step::Page { customer: a, price: b, names: c },
        18 => Step::Bundle { customer: a, price: b, more: c, quantity: d },
        19 => Step::Items { subscription: a, price: b, how: c },
        20 => Step::Assign { subscription: a, trainer: b },
        21 => Step::Name { customer: a, trainer: b },
        // Often one that waits for its payment, which takes three choices to come true.
        22..=24 if d < 80 => Step::Change { subscription: a, price: b, billing: 1, behavior: 1 },
        22..=24 => Step::Change { subscription: a, price: b, billing: c, behavior: d },
        25 | 26 => Step::Schedule { subscription: a, price: b },
        27 => Step::Release { subscription: a },
        28 | 29 => Step::CancelAtEnd { subscription: a, on },
        30 => Step::Cancel { subscription: a },
        31 => Step::Pause { subscription: a, on },
        32 => Step::Resume { subscription: a },
        33 => Step::Trial { subscription: a, days: b % 30 },
        34 => Step::Label { subscription: a, value: b },
        35..=42 => Step::Pay { invoice: a, card },
        43 => Step::Authenticate { intent: a, succeeds: on },
        44 if on => Step::Refund { charge: a, percent: c },
        44 => Step::FailRefund { refund: a },
        45 if on => Step::Dispute { charge: a },
        45 => Step::CloseDispute { dispute: a, outcome: c },
        46 => Step::Void { invoice: a },
        _ if on => Step::Forget { customer: a },
        _ => Step::Void { invoice: a },
    }
}
