//! Which steps are frequent, and which come together.

use rand::Rng;

use super::{Step, World, life};

/// How long a wait may be, in hours.
const HOURS: [u16; 8] = [1, 2, 24, 24 * 3, 24 * 8, 24 * 31, 24 * 62, 24 * 366];

/// A random life, and the steps that make it again; of so many numbers, each of which is one step
/// or a few that belong together.
pub fn random_life(rng: &mut impl Rng, numbers: usize) -> (World, Vec<Step>) {
    let mut taken = vec![Step::Customer { card: 0, clock: false }];
    taken.extend((0..numbers).flat_map(|_| random_steps(rng)));
    (life(&taken), taken)
}

/// One random step, or several in a row that hardly ever follow each other by chance.
pub fn random_steps(rng: &mut impl Rng) -> Vec<Step> {
    let bytes = rng.next_u64().to_le_bytes();
    match bytes[0] % 58 {
        0..=47 => vec![one(bytes)],
        48 | 49 => money(bytes),
        50 | 51 => dunning(bytes),
        52 | 53 => trial(bytes),
        54 | 55 => pending(bytes),
        _ => scheduled(bytes),
    }
}

/// Waiting and paying are the most frequent, so that things fall due and get somewhere.
fn one([kind, a, b, c, d, e, ..]: [u8; 8]) -> Step {
    let on = b.is_multiple_of(2);
    // Most cards work, so that most lives get somewhere.
    let card = if c < 160 { 0 } else { c };
    let hours = HOURS[usize::from(a % 8)];
    match kind % 58 {
        0..=7 => Step::Wait { hours },
        8 => Step::Clock { hours },
        9 => Step::Customer { card, clock: on },
        10 => Step::Card { customer: a, card },
        11..=13 => {
            let trial_days = if d < 90 { d % 20 } else { 0 };
            Step::Checkout { customer: a, price: b, card, trial_days, missing: e }
        }
        14 | 15 => {
            let classic = c.is_multiple_of(3);
            Step::Subscribe { customer: a, price: b, behavior: d, classic, missing: e }
        }
        16 | 17 => Step::Page { customer: a, price: b, names: c },
        18 | 46 => Step::Bundle { customer: a, price: b, more: c, quantity: d },
        19 => Step::Items { subscription: a, price: b, how: c },
        20 => Step::Assign { subscription: a, trainer: b },
        21 => Step::Name { customer: a, trainer: b },
        // Often one that waits for its payment, which takes three choices to come true.
        22 | 23 if d < 80 => Step::Change { subscription: a, price: b, billing: 1, behavior: 1 },
        22 | 23 => Step::Change { subscription: a, price: b, billing: c, behavior: d },
        24 => Step::Schedule { subscription: a, price: b, form: c },
        25 => Step::Release { subscription: a },
        26 => Step::CancelAtEnd { subscription: a, on },
        27 => Step::CancelAt { subscription: a, days: b },
        28 => Step::Cancel { subscription: a },
        29 | 30 => Step::Pause { subscription: a, on: !b.is_multiple_of(4), how: c },
        31 => Step::Resume { subscription: a, card },
        32 => Step::Trial { subscription: a, days: b % 30 },
        33 => Step::Label { subscription: a, value: b },
        34..=39 => Step::Pay { invoice: a, card },
        40 if on => Step::SetProduct { product: a, name: c },
        40 => Step::SetPrice { price: a, how: c },
        41 => Step::Authenticate { intent: a, succeeds: on },
        42 if on => Step::Refund { charge: a, percent: c },
        42 => Step::FailRefund { refund: a },
        43 if on => Step::Dispute { charge: a, inquiry: c.is_multiple_of(3) },
        43 => Step::CloseDispute { dispute: a, outcome: c },
        44 => Step::Evidence { dispute: a, submit: on },
        45 if on => Step::Forget { customer: a },
        45 => Step::Uncollectible { invoice: a },
        _ => Step::Void { invoice: a },
    }
}

/// What was paid is given back, and that fails; or is disputed, and that is decided.
fn money([_, a, b, c, d, e, f, g]: [u8; 8]) -> Vec<Step> {
    let mut steps = vec![Step::Pay { invoice: a, card: 0 }];
    if c.is_multiple_of(2) {
        steps.push(Step::Refund { charge: b, percent: d });
        steps.extend((e < 160).then_some(Step::FailRefund { refund: f }));
    } else {
        steps.push(Step::Dispute { charge: b, inquiry: d.is_multiple_of(3) });
        let submit = !e.is_multiple_of(4);
        steps.extend((e < 160).then_some(Step::Evidence { dispute: f, submit }));
        steps.push(Step::CloseDispute { dispute: f, outcome: g });
    }
    steps
}

/// A subscription can't be paid any more until nobody tries again; then somebody pays.
fn dunning([_, a, b, c, d, e, f, _]: [u8; 8]) -> Vec<Step> {
    let classic = d.is_multiple_of(3);
    let mut steps = vec![
        Step::Card { customer: a, card: 0 },
        Step::Subscribe { customer: a, price: b % 3, behavior: 0, classic, missing: 0 },
        Step::Card { customer: a, card: 1 },
        Step::Wait { hours: HOURS[6] },
    ];
    match c % 4 {
        0 => steps.push(Step::Pay { invoice: e, card: 0 }),
        1 => steps.push(Step::Resume { subscription: f, card: 0 }),
        _ => {}
    }
    steps
}

/// A trial ends without a card; what was paused goes on.
fn trial([_, a, b, c, d, e, ..]: [u8; 8]) -> Vec<Step> {
    let missing = 5 + c % 3 + c / 8 * 8 % 64;
    let classic = d.is_multiple_of(3);
    let mut steps = vec![
        Step::Subscribe { customer: a, price: b, behavior: 0, classic, missing },
        Step::Wait { hours: HOURS[4] },
    ];
    steps.extend((e < 160).then_some(Step::Resume { subscription: e, card: d % 5 / 4 }));
    steps
}

/// A change waits for its payment, which comes or doesn't.
fn pending([_, a, b, c, d, e, f, g]: [u8; 8]) -> Vec<Step> {
    let classic = d.is_multiple_of(3);
    vec![
        Step::Card { customer: a, card: 0 },
        Step::Subscribe { customer: a, price: b % 3, behavior: 0, classic, missing: 0 },
        Step::Card { customer: a, card: 1 },
        Step::Change { subscription: e, price: b % 3 + 1, billing: 1, behavior: 1 },
        if f < 128 { Step::Pay { invoice: g, card: c % 5 / 4 } } else { Step::Wait { hours: 24 } },
    ]
}

/// A schedule that is seen to its end, or nearly.
fn scheduled([_, a, b, c, d, ..]: [u8; 8]) -> Vec<Step> {
    vec![
        Step::Schedule { subscription: a, price: b, form: c },
        Step::Wait { hours: HOURS[5 + usize::from(d % 2)] },
    ]
}
