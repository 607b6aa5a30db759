//! What a simulator can be told at its start.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::render::NEWEST;
use crate::adversary::Plan;
use crate::world;

/// Tells the time, in seconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// Any source of time.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    pub fn system() -> Self {
        Self::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
        })
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// How the world's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It stands still until `POST /simulator/advance`; test clocks move by themselves.
    Stepped,
    /// It's the clock's, looked at on each request and each time this long passed.
    Following(Duration),
}

/// An endpoint for webhooks that is there from the start.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where events are posted to.
    pub url: String,
    /// What they are signed with, whole: `whsec_...`.
    pub secret: String,
    /// Which types; `*` for all.
    pub enabled_events: Vec<String>,
    /// The shape of what is posted; none for the account's.
    pub api_version: Option<String>,
    /// What goes wrong on the way.
    pub adversary: Option<Plan>,
}

/// How webhooks are delivered.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Whether events go out as soon as they happen; else `POST /simulator/deliver` sends them.
    pub automatic: bool,
    /// How many are under way at the same time; one keeps the order.
    pub concurrency: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Seconds of the world's time from each failed attempt to the next one.
    pub retry_after: Vec<i64>,
}

impl Default for Sending {
    /// Retries spread over three days, as Stripe's are.
    fn default() -> Self {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        let mut retry_after = vec![5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR];
        retry_after.extend([10 * HOUR; 5]);
        Self { automatic: true, concurrency: 4, timeout: Duration::from_secs(20), retry_after }
    }
}

/// Where an account is kept, so that it's there again after a restart.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// The file; it's made if it isn't there.
    pub path: PathBuf,
    /// A number that no start before had: it decides the ids made after this one.
    pub salt: u64,
    /// How large the file may become, in bytes. Then nothing can be changed any more.
    pub bytes_max: u64,
}

/// A simulator's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it simulates. An account that was kept goes on with what it began with.
    pub world: world::Config,
    /// Where it's kept; none if it's to be forgotten.
    pub keeping: Option<Keeping>,
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The account's API version, for requests and endpoints that name none; it also decides
    /// whether the world tells of a paid subscription as `incomplete` first.
    pub api_version: String,
    /// The secret keys that are let in; when there are none, every test key is.
    pub keys: Vec<String>,
    /// The time that signatures bear, and that the world follows if it's to.
    pub clock: Clock,
    /// How the world's time passes.
    pub time: Time,
    /// How many requests are answered within a second of the clock; none for any number.
    pub requests_per_second: Option<u32>,
    /// How webhooks are delivered.
    pub sending: Sending,
    /// Endpoints that are there from the start.
    pub endpoints: Vec<Endpoint>,
}

impl Config {
    /// The usual settings: a free port of this machine, the newest version, any test key, time that
    /// stands still.
    #[must_use]
    pub fn new(world: world::Config) -> Self {
        Self {
            world,
            keeping: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_version: NEWEST.to_owned(),
            keys: Vec::new(),
            clock: Clock::system(),
            time: Time::Stepped,
            requests_per_second: None,
            sending: Sending::default(),
            endpoints: Vec::new(),
        }
    }
}
