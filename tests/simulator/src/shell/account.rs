//! An account before it's served: what was kept of it is lived again, and it can be given a past.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::api::{REQUEST_ID_LENGTH, repeat};
use super::config::{Config, Keeping};
use super::journal::{Entry, Journal, JournalError};
use super::render::Version;
use super::state::{Shared, State};
use super::{Running, StartError, serve, webhooks};
use crate::world::{Answer, ApiError, Method, Request, World};

/// An account that nobody can reach yet.
pub struct Account {
    config: Config,
    state: State,
}

/// Why a call wasn't carried out.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Stripe would refuse it, too.
    #[error("{}", .0.message)]
    Refused(Box<ApiError>),
    /// It can't be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Account {
    /// A new account, or the one that was kept, as it was when it was last written down.
    pub fn open(mut config: Config) -> Result<Self, StartError> {
        let Some(Keeping { path, salt, bytes_max }) = config.keeping.clone() else {
            let state = State::new(&config)?;
            return Ok(Self { config, state });
        };
        let (mut journal, entries) = Journal::open(&path, bytes_max)?;
        match entries.first() {
            Some(&Entry::Begin { seed, now, livemode, .. }) => {
                (config.world.seed, config.world.now) = (seed, now);
                config.world.livemode = livemode;
            }
            Some(_) => return Err(journal.diverged(1).into()),
            None => {
                let world = &config.world;
                journal.write(&Entry::begin(world.seed, world.now, world.livemode))?;
            }
        }
        let mut state = State::new(&config)?;
        for (at, entry) in entries.into_iter().enumerate() {
            let is_as_it_was = entry.sum().is_none_or(|sum| sum == state.sum.text());
            if !entry.is_readable() || !is_as_it_was || !state.live(entry) {
                return Err(journal.diverged(at + 1).into());
            }
        }
        let State { outbox, world, .. } = &mut state;
        outbox.forget_arrived(world.events());
        journal.write(&Entry::Start { sum: state.sum.text(), salt })?;
        state.salt_ids(salt);
        state.journal = Some(journal);
        Ok(Self { config, state })
    }

    /// Gives the file that it's kept in another name, in the place of what is there.
    pub fn keep_in(&mut self, path: &Path) -> Result<(), JournalError> {
        match &mut self.state.journal {
            Some(journal) => journal.rename(path),
            None => Ok(()),
        }
    }

    /// The world as it is.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.state.world
    }

    /// Moves the account's time on; what falls due happens in order.
    pub fn advance_to(&mut self, now: i64) -> Result<(), JournalError> {
        if self.state.world.is_due(now) {
            let sum = self.state.sum.text();
            self.state.write(&Entry::Time { sum, to: now })?;
        }
        self.state.world.advance_to(now);
        self.state.sync();
        Ok(())
    }

    /// Carries a call out at the account's time, as though it had come by HTTP.
    ///
    /// # Errors
    /// What Stripe would refuse, or that the call can't be written down.
    pub fn call(
        &mut self,
        method: Method,
        path: &str,
        params: Map<String, Value>,
    ) -> Result<Answer, CallError> {
        let state = &mut self.state;
        let id = state.ids.next("req_", REQUEST_ID_LENGTH);
        let path = path.to_owned();
        let call = Request { method, path, params, id: Some(id), idempotency_key: None };
        if method != Method::Get && state.journal.is_some() {
            let version = state.outbox.account.name().to_owned();
            let (sum, at, ids) = (state.sum.text(), state.world.now(), state.ids.count);
            state.write(&Entry::Call { sum, at, ids, version, call: call.clone() })?;
        }
        let answer = state.world.call(&call);
        state.sync();
        answer.map_err(|error| CallError::Refused(Box::new(error)))
    }

    /// Starts to listen and to deliver.
    pub async fn serve(self) -> Result<Running, StartError> {
        let Self { config, state } = self;
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let shared = Arc::new(Shared::new(config, state)?);
        let (tasks, stop) = (TaskTracker::new(), shared.stop.clone());
        tasks.spawn(serve::accept(listener, Arc::clone(&shared), tasks.clone()));
        tasks.spawn(webhooks::work(Arc::clone(&shared)));
        tasks.close();
        Ok(Running { url: format!("http://{address}"), shared, tasks, stop })
    }
}

impl State {
    fn salt_ids(&mut self, salt: u64) {
        self.world.salt_ids(salt);
        self.ids.salt(salt);
    }

    /// Lives a line of the journal again. Whether that was possible.
    fn live(&mut self, entry: Entry) -> bool {
        match entry {
            Entry::Begin { .. } => {}
            Entry::Start { salt, .. } => self.salt_ids(salt),
            Entry::Time { to, .. } => {
                self.world.advance_to(to);
                self.sync();
            }
            Entry::Call { at, ids, version, call, .. } => {
                let Some(version) = Version::parse(&version) else { return false };
                self.world.advance_to(at);
                self.ids.count = ids;
                repeat(self, &call, &version);
            }
            Entry::Arrived { event, endpoint } => self.outbox.has_arrived(event, endpoint),
        }
        true
    }
}
