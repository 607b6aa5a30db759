//! Publishing a catalogue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ledger_domain::catalog::{Catalog, FILE_BYTES_MAX, Mistake, Parsed};
use ledger_domain::codec;
use ledger_domain::event::{CatalogPublished, Event};
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

/// What publishing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publication {
    /// It is in the log now, at this position.
    Published(i64),
    /// The same was the last one published.
    Unchanged(i64),
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

/// Appends a catalogue, unless it is the one that was published last.
pub(crate) async fn publish(
    log: &dyn EventLog,
    clock: &Clock,
    tenant: &Tenant,
    file: &CatalogFile,
    command: &str,
) -> Result<Publication, PublishError> {
    let mut tries = 0;
    loop {
        let seen = Seen::read(log, tenant).await?;
        let effective_at = clock.now();
        let prices = file.parsed.catalog.resolved_prices();
        if let Some((position, last)) = seen.last
            && *last.toml == *file.text
            && last.prices == prices
        {
            return Ok(Publication::Unchanged(position));
        }
        let published = CatalogPublished { effective_at, prices, toml: file.text.as_str().into() };
        let fact = Fact {
            key: facts::key_of(ids::fresh()),
            stream: facts::tenant_stream(),
            expected: seen.expected,
            at: effective_at,
        };
        let event = fact.stating(&Event::CatalogPublished(published), &facts::by_operator(command));
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
    last: Option<(i64, CatalogPublished)>,
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
                    seen.last = Some((event.position, published));
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
