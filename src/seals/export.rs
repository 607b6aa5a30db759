//! Exports of a log: a line of JSON for each event, with all that goes into its leaf. The format is
//! described in docs/log-format.md.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger_log::Hash;
use ledger_log::seal::verify::{ListedEvent, RawBeside, RawEvent, Reach};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the first line says it is.
pub(crate) const FORMAT: &str = "ledger-export-v1";
/// Longest line that is read: an event and what lies beside it, every character escaped.
const LINE_MAX: u64 = 32 << 20;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) tenant: String,
    pub(crate) log_id: Uuid,
    pub(crate) epoch: i32,
    /// The size and root of the checkpoint, or of the log when it was exported.
    pub(crate) size: i64,
    #[serde(with = "hex_hash")]
    pub(crate) root: Vec<u8>,
    pub(crate) holds: Holds,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) trainer: Option<String>,
    /// Whether each event has its proof.
    pub(crate) proofs: bool,
    /// The text of the checkpoint.
    pub(crate) checkpoint: Option<String>,
}

/// Which events an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Holds {
    /// All from the first on.
    Whole,
    /// All from one position to another.
    Range,
    /// Those of a trainer.
    Trainer,
}

impl Header {
    pub(crate) const fn reach(&self) -> Reach {
        match self.holds {
            Holds::Whole => Reach::Whole(self.to),
            Holds::Range => Reach::Range(self.from, self.to),
            Holds::Trainer => Reach::Some,
        }
    }
}

/// A line of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    position: i64,
    log_id: Uuid,
    tenant: String,
    format: i16,
    namespace: String,
    event_id: String,
    stream: String,
    revision: i64,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: i32,
    occurred_at_us: i64,
    recorded_at_us: i64,
    metadata: Exact,
    data: Exact,
    #[serde(with = "hex_hash::optional")]
    body_hash: Option<Vec<u8>>,
    #[serde(with = "hex_hash::optional")]
    text_hash: Option<Vec<u8>>,
    body: Option<LineBeside>,
    text: Option<LineBeside>,
    #[serde(with = "hex_hash::optional")]
    leaf: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<String>>,
}

/// What lies beside an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LineBeside {
    #[serde(with = "hex_hash")]
    salt: Vec<u8>,
    /// Null where what is stored can't be read.
    content: Option<Exact>,
}

/// Bytes that are text, unless somebody altered them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Exact {
    Text(String),
    Bytes { base64: String },
}

impl From<Vec<u8>> for Exact {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(
            |error| Self::Bytes { base64: STANDARD.encode(error.as_bytes()) },
            Self::Text,
        )
    }
}

impl TryFrom<Exact> for Vec<u8> {
    type Error = base64::DecodeError;
    fn try_from(exact: Exact) -> Result<Self, Self::Error> {
        match exact {
            Exact::Text(text) => Ok(text.into_bytes()),
            Exact::Bytes { base64 } => STANDARD.decode(base64),
        }
    }
}

impl Line {
    /// The line of an event with its stored leaf and its proof.
    pub(crate) fn new(event: RawEvent, leaf: Option<Hash>, proof: Option<Vec<Hash>>) -> Self {
        let beside = |kept: RawBeside| LineBeside {
            salt: kept.salt,
            content: kept.content.map(Exact::from),
        };
        Self {
            position: event.position,
            log_id: event.log_id,
            tenant: event.tenant,
            format: event.format,
            namespace: event.namespace,
            event_id: event.event_id,
            stream: event.stream,
            revision: event.revision,
            event_type: event.event_type,
            schema_version: event.schema_version,
            occurred_at_us: event.occurred_at,
            recorded_at_us: event.recorded_at,
            metadata: event.metadata.into(),
            data: event.data.into(),
            body_hash: event.body_hash,
            text_hash: event.text_hash,
            body: event.body.map(beside),
            text: event.text.map(beside),
            leaf: leaf.map(|leaf| leaf.to_vec()),
            proof: proof.map(|path| path.iter().map(hex::encode).collect()),
        }
    }

    /// The event that a line tells.
    pub(crate) fn into_event(self) -> anyhow::Result<ListedEvent> {
        let beside = |kept: LineBeside| -> anyhow::Result<RawBeside> {
            let content = kept.content.map(Vec::try_from).transpose()?;
            Ok(RawBeside { salt: kept.salt, content })
        };
        let hash = |bytes: Vec<u8>| Hash::try_from(bytes).ok().context("a leaf is no hash");
        let node = |text: String| -> anyhow::Result<Hash> {
            let mut hash = Hash::default();
            hex::decode_to_slice(text, &mut hash).context("a proof holds what is no hash")?;
            Ok(hash)
        };
        let proof = self.proof.map(|path| path.into_iter().map(node).collect()).transpose()?;
        let event = RawEvent {
            log_id: self.log_id,
            format: self.format,
            tenant: self.tenant,
            position: self.position,
            namespace: self.namespace,
            event_id: self.event_id,
            stream: self.stream,
            revision: self.revision,
            event_type: self.event_type,
            schema_version: self.schema_version,
            occurred_at: self.occurred_at_us,
            recorded_at: self.recorded_at_us,
            metadata: self.metadata.try_into()?,
            data: self.data.try_into()?,
            body_hash: self.body_hash,
            text_hash: self.text_hash,
            body: self.body.map(beside).transpose()?,
            text: self.text.map(beside).transpose()?,
        };
        Ok(ListedEvent { event, leaf: self.leaf.map(hash).transpose()?, proof })
    }
}

/// Reads an export line by line.
pub(crate) struct Lines<R> {
    from: R,
    number: u64,
    bytes: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(from: R) -> Self {
        Self { from, number: 0, bytes: 0, line: Vec::new() }
    }

    /// How much was read.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn header(&mut self) -> anyhow::Result<Header> {
        let header: Option<Header> = self.next()?;
        let header = header.context("the file is empty")?;
        if header.format != FORMAT {
            bail!("its format is {:?}, and not {FORMAT:?}", header.format);
        }
        Ok(header)
    }

    pub(crate) fn event(&mut self) -> anyhow::Result<Option<ListedEvent>> {
        let line: Option<Line> = self.next()?;
        let event = line.map(Line::into_event).transpose();
        event.with_context(|| format!("line {} is no event", self.number))
    }

    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> anyhow::Result<Option<T>> {
        self.line.clear();
        self.number += 1;
        let number = self.number;
        let mut limited = (&mut self.from).take(LINE_MAX);
        limited.read_until(b'\n', &mut self.line).with_context(|| format!("read line {number}"))?;
        self.bytes += self.line.len() as u64;
        if self.line.is_empty() {
            return Ok(None);
        }
        let read = serde_json::from_slice(&self.line);
        read.map(Some).with_context(|| format!("line {number} can't be read"))
    }
}

/// Bytes as hexadecimal text.
mod hex_hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(from)?).map_err(Error::custom)
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Error, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            bytes: &Option<Vec<u8>>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match bytes {
                Some(bytes) => super::serialize(bytes, to),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Vec<u8>>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(hex::decode).transpose().map_err(Error::custom)
        }
    }
}
