//! The journal: what an account was asked and when, so that it can be lived again.
//!
//! The world follows from its seed, the calls and their times. Each is written down before it
//! happens, so whatever an event told somebody is made again after a restart, under the same id.
//! Lines bear a sum of the events so far: a program that does other things than the one that wrote
//! them notices it instead of giving old ids to new things. For the same reason every start salts
//! the ids from there on, since the last lines may have been lost with the machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::world::{Event, Request};

/// What the lines mean; another number is another meaning.
const FORMAT: u32 = 1;

/// Why an account can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("can't {act} {path}")]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else writes it.
    #[error("another process uses {0}")]
    InUse(PathBuf),
    /// It has grown too large.
    #[error("{path} is full: it may have {bytes_max} bytes, and has to begin anew")]
    Full {
        /// The file.
        path: PathBuf,
        /// How large it may become.
        bytes_max: u64,
    },
    /// It isn't a journal of this format.
    #[error("line {line} of {path} can't be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The same calls lead somewhere else.
    #[error(
        "from line {line} of {path} on other things happen than when it was written, as after a \
         change of the simulator; it has to begin anew"
    )]
    Diverged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first line: what the world begins with.
    Begin { format: u32, seed: u64, now: i64, livemode: bool },
    /// A start of the program.
    Start { sum: String, salt: u64 },
    /// Time is about to pass, and something is due.
    Time { sum: String, to: i64 },
    /// A call is about to be carried out.
    Call { sum: String, at: i64, ids: u64, version: String, call: Request },
    /// An event has arrived at an endpoint.
    Arrived { event: String, endpoint: String },
}

impl Entry {
    pub(crate) fn begin(seed: u64, now: i64, livemode: bool) -> Self {
        Self::Begin { format: FORMAT, seed, now, livemode }
    }

    /// Whether it's of the format that is written today.
    pub(crate) fn is_readable(&self) -> bool {
        !matches!(self, Self::Begin { format, .. } if *format != FORMAT)
    }

    pub(crate) fn sum(&self) -> Option<&str> {
        match self {
            Self::Start { sum, .. } | Self::Time { sum, .. } | Self::Call { sum, .. } => Some(sum),
            Self::Begin { .. } | Self::Arrived { .. } => None,
        }
    }
}

/// The sum of all events so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum([u8; 32]);

impl Sum {
    pub(crate) fn add(&mut self, event: &Event) {
        let mut digest = Sha256::new();
        digest.update(self.0);
        let object = event.object["id"].as_str().unwrap_or_default();
        for part in [&event.id, &event.kind, object] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(event.created.to_be_bytes());
        self.0 = digest.finalize().into();
    }

    pub(crate) fn text(&self) -> String {
        hex::encode(&self.0[..8])
    }
}

/// A journal that is being written. It belongs to one process at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    /// Whether a line was written in part, so that nothing may follow it.
    is_broken: bool,
}

impl Journal {
    /// Opens or makes a journal, and reads what is in it. A last line without its end was being
    /// written when the program ended: what it announced never happened, and it's taken away.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<(Self, Vec<Entry>), JournalError> {
        let failed = |act| {
            let path = path.to_owned();
            move |source| JournalError::File { act, path, source }
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let bytes = file.metadata().map_err(failed("read"))?.len();
        if bytes >= bytes_max {
            return Err(JournalError::Full { path: path.to_owned(), bytes_max });
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("read"))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            text.truncate(whole);
            file.set_len(text.len() as u64).map_err(failed("shorten"))?;
        }
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let entries = lines.enumerate().map(|(at, line)| {
            serde_json::from_slice(line).map_err(|source| JournalError::Unreadable {
                path: path.to_owned(),
                line: at + 1,
                source,
            })
        });
        let entries = entries.collect::<Result<Vec<Entry>, JournalError>>()?;
        let bytes = text.len() as u64;
        let path = path.to_owned();
        Ok((Self { path, file, bytes, bytes_max, is_broken: false }, entries))
    }

    /// Appends a line. Until this has returned, what it announces must not happen.
    pub(crate) fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).map_err(std::io::Error::from);
        if let Ok(line) = &mut line {
            line.push(b'\n');
        }
        let room = self.bytes_max - self.bytes;
        let is_full = self.is_broken || line.as_ref().is_ok_and(|line| line.len() as u64 > room);
        if is_full {
            let (path, bytes_max) = (self.path.clone(), self.bytes_max);
            return Err(JournalError::Full { path, bytes_max });
        }
        let written = line.and_then(|line| self.file.write_all(&line).map(|()| line.len()));
        match written {
            Ok(length) => {
                self.bytes += length as u64;
                Ok(())
            }
            Err(source) => {
                // What was written of the line must not stand before the next one.
                self.is_broken = self.file.set_len(self.bytes).is_err();
                Err(JournalError::File { act: "write", path: self.path.clone(), source })
            }
        }
    }

    /// Takes another name, and the place of what has that name.
    pub(crate) fn rename(&mut self, path: &Path) -> Result<(), JournalError> {
        let failed = |source| JournalError::File { act: "make", path: path.to_owned(), source };
        std::fs::rename(&self.path, path).map_err(failed)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    pub(crate) fn diverged(&self, line: usize) -> JournalError {
        JournalError::Diverged { path: self.path.clone(), line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<(Journal, Vec<Entry>), JournalError> {
        Journal::open(path, 200)
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, entries) = open(&path).unwrap();
        assert!(entries.is_empty());
        journal.write(&Entry::begin(7, 1_790_000_000, false)).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, JournalError::InUse(_)), "{error}");
        drop(journal);
        // A line that was not written to its end never happened.
        let mut text = std::fs::read(&path).unwrap();
        let length = text.len();
        text.extend(b"{\"start\":{\"su");
        std::fs::write(&path, &text).unwrap();
        let (journal, entries) = open(&path).unwrap();
        assert!(matches!(entries[..], [Entry::Begin { seed: 7, .. }]), "{entries:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length as u64);
        drop(journal);
    }

    #[test]
    fn it_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = open(&path).unwrap();
        let arrived = Entry::Arrived { event: "evt_1".into(), endpoint: "we_1".into() };
        let error = (0..10).find_map(|_| journal.write(&arrived).err()).unwrap();
        assert!(error.to_string().ends_with("200 bytes, and has to begin anew"), "{error}");
        let (kept, whole) = (std::fs::read_to_string(&path).unwrap(), journal.bytes);
        assert!(kept.ends_with('\n') && kept.len() as u64 == whole);
        drop(journal);
        std::fs::write(&path, "x".repeat(200)).unwrap();
        assert!(matches!(open(&path), Err(JournalError::Full { .. })));
        std::fs::write(&path, "x\n").unwrap();
        assert!(matches!(open(&path), Err(JournalError::Unreadable { line: 1, .. })));
    }
}
