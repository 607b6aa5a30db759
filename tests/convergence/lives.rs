//! Random lives, and how their events are told.

use ledger_simulator::adversary::{Delivery, Plan, disturb};
use ledger_simulator::world::life::{Step, life_in, random_steps};
use ledger_simulator::world::{Config, Exhausted, RetryPolicy, World};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::delivery::{Told, VERSIONS};

/// What decides a case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) steps: Vec<Step>,
    /// How dense time is.
    pub(crate) pace: Pace,
    /// How many changes have a second event object, in percent.
    pub(crate) twins: u8,
    /// The API versions in which the events are rendered by chance.
    pub(crate) versions: Vec<&'static str>,
    /// Decides versions, twins, the order of delivery, and what the account does when payments fail
    /// to the last.
    pub(crate) seed: u64,
}

/// How many seconds there are between the changes of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As the steps say.
    Usual,
    /// The changes of two hours have one time.
    Bursts,
    /// The changes of 40 days have seconds that follow each other closely.
    Neighbours,
    /// No time passes at all.
    OneSecond,
}

/// Lives made of fewer numbers than that, told in all ways.
pub(crate) fn case(steps_max: usize) -> impl Strategy<Value = Case> {
    let pace = prop_oneof![
        3 => Just(Pace::Usual),
        1 => Just(Pace::Bursts),
        1 => Just(Pace::Neighbours),
        1 => Just(Pace::OneSecond),
    ];
    let versions = prop_oneof![
        2 => prop::sample::select(&VERSIONS[..]).prop_map(|version| vec![version]),
        1 => Just(VERSIONS.to_vec()),
    ];
    let twins = prop_oneof![3 => Just(0_u8), 1 => Just(20_u8)];
    // One number makes a step or a few, so that fewer numbers are a shorter life.
    let numbers = prop::collection::vec(any::<u64>(), 1..steps_max);
    (numbers, pace, twins, versions, any::<u64>()).prop_map(
        |(numbers, pace, twins, versions, seed)| {
            let mut steps = vec![Step::Customer { card: 0, clock: false }];
            let random =
                numbers.into_iter().flat_map(|n| random_steps(&mut StdRng::seed_from_u64(n)));
            steps.extend(random.filter(|step| pace != Pace::OneSecond || !passes_time(step)));
            Case { steps, pace, twins, versions, seed }
        },
    )
}

pub(crate) const fn passes_time(step: &Step) -> bool {
    matches!(step, Step::Wait { .. } | Step::Clock { .. })
}

impl Case {
    /// What really happened, in an account as old as the version in which it is told; of several,
    /// as the first or the last.
    pub(crate) fn live(&self) -> World {
        let ends = [self.versions.first(), self.versions.last()];
        let account = ends[usize::from(self.seed.is_multiple_of(2))];
        let exhausted = Exhausted::ALL[usize::try_from(self.seed >> 8 & 3).expect("one of four")];
        let retries = RetryPolicy { exhausted, ..Config::default().retries };
        let config = Config { retries, ..Config::default() };
        life_in(
            account.map_or_else(|| config.clone(), |it| config.clone().of_version(it)),
            &self.steps,
        )
    }

    /// Lets time pass between changes that have nothing to do with each other.
    pub(crate) fn apart(&mut self) {
        if self.pace != Pace::Neighbours {
            self.pace = Pace::Usual;
        }
    }

    /// The webhooks of a life, in the order in which things happened.
    pub(crate) fn tell(&self, world: &World) -> Vec<Told> {
        crate::delivery::tell(world.events(), self.deliveries(world))
    }

    /// The same, but one event in eight names a customer that it isn't about.
    pub(crate) fn tell_of_others(&self, world: &World) -> Vec<Told> {
        let mut random = StdRng::seed_from_u64(self.seed);
        let customers: Vec<Value> = world
            .events()
            .iter()
            .filter(|event| event.kind == "customer.created")
            .map(|event| event.object["id"].clone())
            .chain([json!("cus_0000000000stranger"), json!("cus_zzzzzzzzzzstranger")])
            .collect();
        let mut deliveries = self.deliveries(world);
        for delivery in &mut deliveries {
            let object = &mut delivery.event.object;
            if object["customer"].is_string() && random.random_ratio(1, 8) {
                let other = customers.choose(&mut random).expect("there are strangers");
                object["customer"] = other.clone();
            }
        }
        crate::delivery::tell(world.events(), deliveries)
    }

    fn deliveries(&self, world: &World) -> Vec<Delivery> {
        let plan = Plan {
            same_second: if self.pace == Pace::Bursts { 7_200 } else { 0 },
            neighbouring_seconds: if self.pace == Pace::Neighbours { 40 * 86_400 } else { 0 },
            two_objects_percent: self.twins,
            api_versions: self.versions.iter().map(|&version| version.to_owned()).collect(),
            ..Plan::default()
        };
        disturb(world.events(), &plan, self.seed)
    }
}
