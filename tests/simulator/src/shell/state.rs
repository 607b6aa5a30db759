//! What all parts of the simulator share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::StartError;
use super::api::{Keys, Rate};
use super::config::{Clock, Config, Sending, Time};
use super::faults::Faults;
use super::journal::{Entry, Journal, JournalError, Sum};
use super::render::{Links, Renderer, Version};
use super::webhooks::{Outbox, Place};
use crate::world::{Event, World};

/// The state behind its mutex, and what needs none.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) faults: Faults,
    pub(crate) stop: CancellationToken,
    /// Wakes the one who delivers.
    pub(crate) wake: Notify,
    /// Held while deliveries are made, so that one pass waits for the other.
    pub(crate) passing: tokio::sync::Mutex<()>,
    pub(crate) client: reqwest::Client,
    pub(crate) account_version: Version,
    pub(crate) secret_keys: Vec<String>,
    pub(crate) clock: Clock,
    pub(crate) time: Time,
    pub(crate) sending: Sending,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("sending", &self.sending).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(config: Config, state: State) -> Result<Self, StartError> {
        // A webhook is posted to where it was sent: a redirect counts as a failure.
        let client = reqwest::Client::builder()
            .timeout(config.sending.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(StartError::Client)?;
        let account_version = state.outbox.account.clone();
        Ok(Self {
            state: Mutex::new(state),
            faults: Faults::new(),
            stop: CancellationToken::new(),
            wake: Notify::new(),
            passing: tokio::sync::Mutex::default(),
            client,
            account_version,
            secret_keys: config.keys,
            clock: config.clock,
            time: config.time,
            sending: config.sending,
        })
    }

    /// The state; nobody may wait for anything while holding it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state at the present time: what fell due has happened.
    pub(crate) fn lock_now(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if let Time::Following(_) = self.time {
            state.advance_to(self.clock.now());
        }
        state
    }
}

/// All that changes.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) links: Links,
    /// Where an event is in the world's list.
    pub(crate) index_of: HashMap<String, usize>,
    pub(crate) outbox: Outbox,
    pub(crate) keys: Keys,
    pub(crate) rate: Rate,
    pub(crate) ids: Ids,
    pub(crate) journal: Option<Journal>,
    /// The sum of the events that were taken note of.
    pub(crate) sum: Sum,
}

impl State {
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let account_version = Version::parse(&config.api_version)
            .ok_or_else(|| StartError::Version(config.api_version.clone()))?;
        let world = &config.world;
        let mut ids = Ids { seed: world.seed, count: 0 };
        let mut outbox = Outbox::new(world.seed, world.livemode, account_version);
        for endpoint in config.endpoints.clone() {
            outbox.register(ids.next("we_", 24), endpoint, world.now)?;
        }
        Ok(Self {
            world: World::new(world.clone().of_version(&config.api_version)),
            links: Links::default(),
            index_of: HashMap::new(),
            outbox,
            keys: Keys::default(),
            rate: Rate::new(config.requests_per_second),
            ids,
            journal: None,
            sum: Sum::default(),
        })
    }

    /// Moves the world's time forward. Where that can't be written down time stands still: whoever
    /// was told of what it brought would be told of it again, by other ids.
    pub(crate) fn advance_to(&mut self, now: i64) {
        if now <= self.world.now() {
            return;
        }
        let to = Entry::Time { sum: self.sum.text(), to: now };
        if self.journal.is_some()
            && self.world.is_due(now)
            && let Err(error) = self.write(&to)
        {
            tracing::error!(error = %error, "time stands still");
            return;
        }
        self.world.advance_to(now);
        self.sync();
    }

    /// Writes something down, if anything is.
    pub(crate) fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.journal.as_mut().map_or(Ok(()), |journal| journal.write(entry))
    }

    /// Takes note of what the world did.
    pub(crate) fn sync(&mut self) {
        let known = self.index_of.len();
        for (index, event) in self.world.events().iter().enumerate().skip(known) {
            self.links.learn(event);
            self.sum.add(event);
            self.index_of.insert(event.id.clone(), index);
            self.outbox.enqueue(index, event);
        }
    }

    /// An event as it's told, and its place.
    pub(crate) fn event(&self, id: &str) -> Option<(Place, Cow<'_, Event>)> {
        match self.index_of.get(id) {
            Some(&index) => Some(((index, 0), self.outbox.told.event(&self.world.events()[index]))),
            None => self.outbox.told.twin(id).map(|(place, event)| (place, Cow::Borrowed(event))),
        }
    }

    /// The event at a place, as it's told.
    pub(crate) fn event_at(&self, (index, twin): Place) -> Option<Cow<'_, Event>> {
        let told = &self.outbox.told;
        match twin.checked_sub(1) {
            None => self.world.events().get(index).map(|event| told.event(event)),
            Some(at) => told.twins_of(index).nth(at).map(|(_, event)| Cow::Borrowed(event)),
        }
    }

    /// Sends what waits on its way, where that decides how it's told.
    pub(crate) fn settle_times(&mut self) {
        if self.outbox.may_alter() {
            self.outbox.schedule(self.world.events(), self.world.now());
        }
    }

    /// An event in the shape of a version, with the count of those who lack it now.
    pub(crate) fn render_event(&self, at: usize, event: &Event, version: &Version) -> Value {
        let pending = self.outbox.pending(&event.id);
        Renderer { links: &self.links }.event(at, event, version, pending)
    }

    pub(crate) fn render(&self, object: &Value, version: &Version) -> Value {
        Renderer { links: &self.links }.object(object, version)
    }

    /// Any object by its id, in the newest shape.
    pub(crate) fn find(&self, id: &str) -> Option<Value> {
        self.outbox.find(id).or_else(|| self.world.find(id))
    }
}

/// Ids of what is the shell's own: the same calls with the same seed get the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    seed: u64,
    pub(crate) count: u64,
}

impl Ids {
    /// From now on ids are made from this number, too.
    pub(crate) fn salt(&mut self, salt: u64) {
        self.seed = self.seed.rotate_left(1) ^ salt;
    }

    pub(crate) fn next(&mut self, prefix: &str, length: usize) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        self.count += 1;
        let hash = Sha256::new()
            .chain_update(prefix)
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.count.to_be_bytes())
            .finalize();
        let digits = hash.iter().map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]));
        prefix.chars().chain(digits.take(length)).collect()
    }
}
