//! Publishing a catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ledger_domain::catalog::{Catalog, FILE_BYTES_MAX, Mistake, Parsed, ResolvedPrices};
use ledger_domain::codec;
use ledger_domain::event::{CatalogPublished, Event, Metadata};
use ledger_domain::id::Tenant;
use ledger_log::{AppendError, EventLog, Expected, Outcome, ReadError};

use super::facts::{self, Fact};
use crate::clock::Clock;
use crate::config::{CATALOG_DEFAULT, TenantConfig};
use crate::ids;

/// How many events of the tenant's stream are read at once.
const PAGE: usize = 500;
/// How often publishing is tried against others who write to the same stream.
const TRIES_MAX: usize = 5;

/// A catalogue file that has been checked.
#[derive(Debug)]
pub(crate) struct CatalogFile {
    pub(crate) text: String,
    pub(crate) parsed: Parsed,
}

/// Why a catalogue was not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("the catalogue {} can't be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the catalogue {} has mistakes:\n{}", path.display(), lines(mistakes))]
    Mistakes { path: PathBuf, mistakes: Vec<Mistake> },
    #[error("the catalogue can't be appended")]
    Append(#[from] AppendError),
    #[error("the catalogues published before can't be read")]
    Read(#[from] ReadError),
    #[error("the catalogue published at position {0} can't be read by this version")]
    Unreadable(i64),
}

/// Who publishes: that decides what may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publisher {
    /// Somebody who says so, with `ledger catalog publish`.
    Operator,
    /// A service that starts. Another catalogue may have been published since its settings were
    /// written, and another node may have other settings: what is in force stays.
    Start,
    /// A service that starts on a database of its own, where its settings are edited: they replace
    /// what such a start has published, and nothing that an operator has.
    OwnStart,
}

impl Publisher {
    /// The command that the event names.
    const fn command(self) -> &'static str {
        match self {
            Self::Operator => "ledger catalog publish",
            Self::Start | Self::OwnStart => "ledger serve",
        }
    }

    fn may_replace(self, last: &Last) -> bool {
        match self {
            Self::Operator => true,
            Self::Start => false,
            Self::OwnStart => *last.actor == *self.command(),
        }
    }
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Publication {
    /// It is in the log now, at this position.
    Published(i64),
    /// The same was the last one published.
    Unchanged(i64),
    /// Another one was published last, and stays in force.
    Kept {
        /// Where.
        position: i64,
        /// In what the two differ.
        difference: String,
    },
}

/// The default catalogue, for a program that runs far from its sources.
const BUILT_IN: &str = include_str!("../../catalogs/trainers.toml");

impl CatalogFile {
    /// Reads and checks a tenant's catalogue.
    pub(crate) fn of(tenant: &TenantConfig) -> Result<Self, PublishError> {
        Self::at(&tenant.catalog, &tenant.prices)
    }

    /// Reads and checks a tenant's catalogue by its file, or the one that the program brings.
    pub(crate) fn at(path: &Path, prices: &BTreeMap<String, String>) -> Result<Self, PublishError> {
        let variable = |name: &str| prices.get(name).cloned();
        if path == Path::new(CATALOG_DEFAULT) && !path.exists() {
            return Self::check(BUILT_IN.to_owned(), path, &variable);
        }
        Self::read(path, &variable)
    }

    /// Reads and checks a file; `variable` tells what the variables that it names hold.
    pub(crate) fn read(
        path: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, PublishError> {
        let unreadable = |source| PublishError::File { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX as u64 {
            return Err(unreadable(std::io::Error::other("it is too large to be a catalogue")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::check(text, path, variable)
    }

    fn check(
        text: String,
        path: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, PublishError> {
        let parsed = Catalog::parse(&text, variable)
            .map_err(|mistakes| PublishError::Mistakes { path: path.into(), mistakes })?;
        Ok(Self { text, parsed })
    }
}

/// Appends a catalogue, unless it is the one that was published last or isn't to replace that.
pub(crate) async fn publish(
    log: &dyn EventLog,
    clock: &Clock,
    tenant: &Tenant,
    file: &CatalogFile,
    publisher: Publisher,
) -> Result<Publication, PublishError> {
    let mut tries = 0;
    loop {
        let seen = Seen::read(log, tenant).await?;
        let effective_at = clock.now();
        let prices = file.parsed.catalog.resolved_prices();
        if let Some(last) = seen.last {
            let position = last.position;
            let Some(difference) = last.difference(file, &prices) else {
                return Ok(Publication::Unchanged(position));
            };
            if !publisher.may_replace(&last) {
                return Ok(Publication::Kept { position, difference });
            }
        }
        let published = CatalogPublished { effective_at, prices, toml: file.text.as_str().into() };
        let fact = Fact {
            key: facts::key_of(ids::fresh()),
            stream: facts::tenant_stream(),
            expected: seen.expected,
            at: effective_at,
        };
        let event = fact
            .stating(&Event::CatalogPublished(published), &facts::by_operator(publisher.command()));
        match log.append(tenant, vec![event]).await {
            Ok(outcomes) => {
                let position = outcomes.first().map_or(0, |outcome| Outcome::position(*outcome));
                return Ok(Publication::Published(position));
            }
            // Another node may be publishing the same; look again.
            Err(AppendError::WrongExpectedRevision { .. }) if tries < TRIES_MAX => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the tenant's stream says.
struct Seen {
    expected: Expected,
    last: Option<Last>,
}

/// The last one published.
struct Last {
    position: i64,
    actor: Box<str>,
    published: CatalogPublished,
}

impl Last {
    /// In what a file differs, if it does.
    fn difference(&self, file: &CatalogFile, prices: &ResolvedPrices) -> Option<String> {
        let CatalogPublished { toml, prices: published, .. } = &self.published;
        if **toml != *file.text {
            return Some("its text".to_owned());
        }
        let plans = published.keys().chain(prices.keys()).collect::<BTreeSet<_>>();
        let differing = plans.into_iter().filter(|plan| published.get(*plan) != prices.get(*plan));
        let differing: Vec<&str> = differing.map(String::as_str).collect();
        (!differing.is_empty()).then(|| format!("the prices of {}", differing.join(", ")))
    }
}

impl Seen {
    async fn read(log: &dyn EventLog, tenant: &Tenant) -> Result<Self, PublishError> {
        let stream = facts::tenant_stream();
        let mut seen = Self { expected: Expected::NoStream, last: None };
        let mut from = 0;
        loop {
            let page = log.read_stream(tenant, &stream, from, PAGE).await?;
            for event in &page {
                seen.expected = Expected::Revision(event.revision);
                from = event.revision + 1;
                if &*event.event_type == "CatalogPublished" {
                    let decoded =
                        codec::decode(&event.event_type, event.schema_version, &event.data);
                    let Ok(Event::CatalogPublished(published)) = decoded else {
                        return Err(PublishError::Unreadable(event.position));
                    };
                    let actor = Metadata::from_bytes(&event.metadata).map(|by| by.actor);
                    let actor = actor.map_err(|_| PublishError::Unreadable(event.position))?;
                    seen.last = Some(Last { position: event.position, actor, published });
                }
            }
            if page.len() < PAGE {
                return Ok(seen);
            }
        }
    }
}

/// Mistakes for people, a line each.
pub(crate) fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
