//! Whether this program can read every event of a log: its metadata, and its data through all
//! upcasters, as the runner reads them. Nothing is folded and nothing is written.
//!
//! What the runner can't read it parks: the read models go on, without that event and those of its
//! customer or trainer after it. Here all such events of a log are named before a program is
//! trusted with it. The log is read in pages, and what is found is counted beyond a limit, so that
//! a log of any size takes the same memory.
//!
//! Reasons hold no values of events: they say where in the bytes something is wrong, and what is
//! missing.

use std::collections::BTreeMap;

use ledger_domain::codec::{self, DecodeError};
use ledger_domain::event::Metadata;
use ledger_domain::id::{EventKey, Tenant};
use ledger_log::{EventLog, ReadError, Recorded};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::verify::progress::Meter;
use crate::verify::{Phase, Progress};

/// How many events are read at once, at most.
const PAGE_EVENTS_MAX: usize = 4_096;

/// How many types and versions are counted one by one. There are some dozens, unless somebody has
/// written others into the log.
const SHAPES_MAX: usize = 1_000;

/// What was found of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Whose.
    pub tenant: Tenant,
    /// The position up to which it was read: its end when this began.
    pub position: i64,
    /// What was found.
    #[serde(flatten)]
    pub found: Found<EventPlace>,
}

/// What was found, and where each thing that can't be read is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found<P> {
    /// How many events were read, or tried to.
    pub events: u64,
    /// How many of them there are of each type and version.
    pub types: Vec<ShapeCount>,
    /// How many are of still other types, where there are too many of these.
    pub of_more_types: u64,
    /// What can't be read.
    pub unreadable: Vec<Unreadable<P>>,
    /// How much more of that there is.
    pub more: u64,
}

/// The events of one type and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShapeCount {
    /// The type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version.
    pub version: i32,
    /// How many there are.
    pub events: u64,
    /// How many of them can't be read.
    pub unreadable: u64,
}

/// An event that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable<P> {
    /// Where it is.
    #[serde(flatten)]
    pub place: P,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version of its type.
    pub version: i32,
    /// What can't be read.
    #[serde(flatten)]
    pub why: Why,
}

/// An event's place in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventPlace {
    /// The position.
    pub position: i64,
    /// The key.
    pub key: EventKey,
}

/// What can't be read of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// What kind of thing it is.
    pub kind: Kind,
    /// What is wrong with it, without any value of the event.
    pub reason: String,
}

/// The kinds of things that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The type isn't known to this program.
    UnknownType,
    /// The version isn't known to this program.
    UnknownVersion,
    /// The data haven't the shape of their type and version.
    Data,
    /// The metadata haven't their shape.
    Metadata,
}

/// Why a log wasn't read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadableError {
    /// No log was opened for this tenant.
    #[error("tenant {0} has no log")]
    NoLog(Tenant),
    /// It was told to end.
    #[error("reading the log was interrupted")]
    Interrupted,
    /// The log can't be read.
    #[error("the log of {tenant} can't be read")]
    Log {
        /// Whose.
        tenant: Tenant,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// Which logs there are can't be read.
    #[error("which tenants have a log can't be read")]
    Tenants(#[source] ReadError),
}

impl ReadableError {
    /// Whether nothing is known to be wrong with the log.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        match self {
            Self::Interrupted
            | Self::Tenants(ReadError::Unavailable(_))
            | Self::Log { source: ReadError::Unavailable(_), .. } => true,
            Self::NoLog(_) | Self::Tenants(_) | Self::Log { .. } => false,
        }
    }
}

/// Reads every event of one tenant's log, or of all logs, up to where they end now. At most
/// `listed_max` events of each that can't be read are listed. Progress is told as it is made, and
/// the token ends it.
///
/// # Errors
/// If a log can't be read as such, or isn't there.
pub async fn check(
    log: &dyn EventLog,
    tenant: Option<&Tenant>,
    listed_max: usize,
    stop: &CancellationToken,
    progress: &watch::Sender<Progress>,
) -> Result<Vec<LogReport>, ReadableError> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant.clone()],
        None => log.tenants().await.map_err(ReadableError::Tenants)?,
    };
    let mut ends = Vec::new();
    for tenant in tenants {
        let head = log.head(&tenant).await;
        let head = head.map_err(|source| ReadableError::Log { tenant: tenant.clone(), source })?;
        let head = head.ok_or_else(|| ReadableError::NoLog(tenant.clone()))?;
        ends.push((tenant, head.position));
    }
    let target = ends.iter().map(|(_, end)| end).sum();
    let (meter, mut before, mut reports) = (Meter::start(0), 0, Vec::new());
    for (tenant, end) in ends {
        let tell = |position| {
            progress.send_replace(meter.at(Phase::Reading, before + position, target));
        };
        let found = check_log(log, &tenant, end, listed_max, stop, tell).await?;
        reports.push(LogReport { tenant, position: end, found });
        before += end;
    }
    Ok(reports)
}

async fn check_log(
    log: &dyn EventLog,
    tenant: &Tenant,
    end: i64,
    listed_max: usize,
    stop: &CancellationToken,
    tell: impl Fn(i64),
) -> Result<Found<EventPlace>, ReadableError> {
    let failed = |source| ReadableError::Log { tenant: tenant.clone(), source };
    let (mut tally, mut after) = (Tally::new(listed_max), 0);
    while after < end {
        if stop.is_cancelled() {
            return Err(ReadableError::Interrupted);
        }
        let events = log.read(tenant, after, PAGE_EVENTS_MAX).await.map_err(failed)?;
        let Some(last) = events.last() else {
            let (position, what) = (after + 1, "the log ends before its head".to_owned());
            return Err(failed(ReadError::Corrupt { position, what }));
        };
        after = last.position;
        for event in events.into_iter().filter(|event| event.position <= end) {
            let read = read(&event);
            let Recorded { position, key, event_type, schema_version, .. } = event;
            tally.add(&event_type, schema_version, read, || EventPlace { position, key });
        }
        tell(after.min(end));
    }
    Ok(tally.found())
}

/// Reads an event as the runner does.
fn read(event: &Recorded) -> Result<(), Why> {
    read_metadata(&event.metadata)?;
    read_data(&event.event_type, event.schema_version, &event.data)
}

/// Reads an event's data through all upcasters.
///
/// # Errors
/// What can't be read.
pub fn read_data(event_type: &str, version: i32, data: &[u8]) -> Result<(), Why> {
    let Err(error) = codec::decode(event_type, version, data) else { return Ok(()) };
    let (kind, reason) = match &error {
        DecodeError::UnknownType(_) => (Kind::UnknownType, error.to_string()),
        DecodeError::UnknownVersion { .. } => (Kind::UnknownVersion, error.to_string()),
        DecodeError::Malformed { source, .. } => {
            (Kind::Data, format!("{error}: {}", without_values(source)))
        }
    };
    Err(Why { kind, reason })
}

/// Reads what stands beside an event's data.
///
/// # Errors
/// What can't be read.
pub fn read_metadata(metadata: &[u8]) -> Result<(), Why> {
    let Err(error) = Metadata::from_bytes(metadata) else { return Ok(()) };
    let reason = format!("its metadata can't be read: {}", without_values(&error));
    Err(Why { kind: Kind::Metadata, reason })
}

/// What a reader stumbled over. Its own text quotes values, but for names of fields.
fn without_values(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let of_field = ["missing field `", "duplicate field `"];
    if let Some(start) = of_field.iter().find(|start| text.starts_with(**start)) {
        let name = text[start.len()..].split('`').next().unwrap_or_default();
        return format!("{start}{name}`");
    }
    if error.is_data() {
        return format!("what ends at byte {column} has another shape");
    }
    format!("it is no JSON at byte {column}")
}

/// Counts what is read.
#[derive(Debug)]
pub struct Tally<P> {
    listed_max: usize,
    shapes: BTreeMap<(String, i32), (u64, u64)>,
    found: Found<P>,
}

impl<P> Tally<P> {
    /// Nothing yet; so much of what can't be read is listed.
    #[must_use]
    pub fn new(listed_max: usize) -> Self {
        let (types, unreadable) = (Vec::new(), Vec::new());
        let found = Found { events: 0, types, of_more_types: 0, unreadable, more: 0 };
        Self { listed_max, shapes: BTreeMap::new(), found }
    }

    /// One more was read, or tried to.
    pub fn add(
        &mut self,
        event_type: &str,
        version: i32,
        read: Result<(), Why>,
        place: impl FnOnce() -> P,
    ) {
        self.found.events += 1;
        let shape = (event_type.to_owned(), version);
        if self.shapes.len() < SHAPES_MAX || self.shapes.contains_key(&shape) {
            let (events, unreadable) = self.shapes.entry(shape).or_default();
            *events += 1;
            *unreadable += u64::from(read.is_err());
        } else {
            self.found.of_more_types += 1;
        }
        let Err(why) = read else { return };
        if self.found.unreadable.len() < self.listed_max {
            let event_type = event_type.to_owned();
            self.found.unreadable.push(Unreadable { place: place(), event_type, version, why });
        } else {
            self.found.more += 1;
        }
    }

    /// What was found, by type and version.
    #[must_use]
    pub fn found(self) -> Found<P> {
        let count = |((event_type, version), (events, unreadable))| ShapeCount {
            event_type,
            version,
            events,
            unreadable,
        };
        Found { types: self.shapes.into_iter().map(count).collect(), ..self.found }
    }
}

impl<P> Found<P> {
    /// How many events can't be read.
    #[must_use]
    pub fn unreadable_events(&self) -> u64 {
        self.more.saturating_add(self.unreadable.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(data: &str) -> String {
        read_data("TrainerRegistered", 1, data.as_bytes()).unwrap_err().reason
    }

    #[test]
    fn a_reason_holds_no_value() {
        assert!(reason("{}").ends_with("missing field `trainer`"));
        for data in [r#"{"trainer":"s3cret value"}"#, r#"{"trainer":["s3cret"]}"#] {
            let reason = reason(data);
            assert!(reason.contains("has another shape") && !reason.contains("s3cret"), "{reason}");
        }
        let cut = reason(r#"{"trainer":"s3cret"#);
        assert!(cut.contains("it is no JSON at byte 18") && !cut.contains("s3cret"), "{cut}");
        let why = read_metadata(br#"{"actor":"a","source":"s3cret"}"#).unwrap_err();
        assert_eq!(why.kind, Kind::Metadata);
        assert!(!why.reason.contains("s3cret"), "{}", why.reason);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut tally = Tally::new(1);
        let unknown = || read_data("Nonsense", 1, b"{}");
        for version in 0..i32::try_from(SHAPES_MAX).unwrap() + 2 {
            tally.add("Nonsense", version, unknown(), || version);
        }
        let found = tally.found();
        assert_eq!((found.types.len(), found.of_more_types), (SHAPES_MAX, 2));
        assert_eq!((found.unreadable.len(), found.unreadable[0].place), (1, 0));
        assert_eq!(found.unreadable_events(), found.events);
    }
}
