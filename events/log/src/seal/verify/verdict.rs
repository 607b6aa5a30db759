//! What a verification found.

use std::fmt;

use crate::port::Hash;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How many events were read.
    pub events: i64,
    /// The root over them as recomputed; none if one is missing.
    pub root: Option<Hash>,
    /// The position up to which a checkpoint proves the events; none without one, or if the
    /// events aren't those that it is about.
    pub proved: Option<i64>,
    /// The first of each kind of fault, in the order of positions. None means that all is sound.
    pub faults: Vec<Fault>,
}

/// Something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The first wrong position.
    pub position: i64,
    /// The last position among which the first wrong one is; the same as `position` where it is
    /// known exactly.
    pub through: i64,
    /// What is wrong.
    pub what: What,
}

impl Fault {
    pub(super) const fn at(position: i64, what: What) -> Self {
        Self { position, through: position, what }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The event isn't what was sealed.
    Altered,
    /// Nobody can say whether the event or its stored leaf was altered.
    AlteredOrLeaf,
    /// One of the events isn't what was sealed, and its leaf was altered with it, or isn't stored.
    AlteredAmong,
    /// The position holds no event.
    Missing,
    /// The event was taken out, and another moved to its place.
    Removed {
        /// Where the one was that stands there now.
        by: i64,
    },
    /// The event and another have changed places.
    Swapped {
        /// Where the other belongs.
        with: i64,
    },
    /// The event stands elsewhere, and one that was never sealed in its place.
    Displaced {
        /// Where it stands.
        to: i64,
    },
    /// An event stands before the first position.
    Extra,
    /// The log's end is cut off.
    TailCut {
        /// Where it ended.
        end: i64,
    },
    /// The log ends before the checkpoint, with all its seals: it was restored from a backup, or
    /// cut by somebody who cut the seals, too.
    Older {
        /// What the checkpoint has signed.
        signed: i64,
    },
    /// The events and their seals fit each other, and not the checkpoint.
    NotSigned,
    /// The event's proof doesn't lead to the checkpoint's root.
    Unproved,
    /// The event is sound; its stored leaf was altered.
    Leaf,
    /// The events are sound; the stored root over them was altered.
    Root,
    /// The stored leaves are more than the batch's events, or no leaves.
    Leaves,
    /// The row with the root and the leaves up to here is missing.
    SealMissing,
    /// The head's root isn't the one over all events.
    HeadRoot,
    /// The head's frontier isn't that of all events.
    HeadFrontier,
    /// The head stands before the last event.
    HeadBehind,
    /// The envelope's version isn't known.
    Format(i16),
    /// The stored body isn't the one that the event binds.
    BodyAltered,
    /// The body that the event binds is missing, and no event says why.
    BodyMissing,
    /// There is a body, and the event binds none.
    BodyUnbound,
    /// The stored text isn't the one that the event binds.
    TextAltered,
    /// The text that the event binds is missing, and no event says why.
    TextMissing,
    /// There is a text, and the event binds none.
    TextUnbound,
}

impl What {
    /// Whether it says that the events aren't those that were sealed.
    pub(super) const fn is_of_events(self) -> bool {
        matches!(
            self,
            Self::Altered
                | Self::AlteredOrLeaf
                | Self::AlteredAmong
                | Self::Missing
                | Self::Removed { .. }
                | Self::Swapped { .. }
                | Self::Displaced { .. }
                | Self::TailCut { .. }
                | Self::Older { .. }
        )
    }

    /// The kind, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Altered => "event_altered",
            Self::AlteredOrLeaf => "event_or_leaf_altered",
            Self::AlteredAmong => "event_altered_among",
            Self::Missing => "event_missing",
            Self::Removed { .. } => "event_removed",
            Self::Swapped { .. } => "events_swapped",
            Self::Displaced { .. } => "event_displaced",
            Self::Extra => "event_extra",
            Self::TailCut { .. } => "tail_cut",
            Self::Older { .. } => "older_than_checkpoint",
            Self::NotSigned => "not_signed",
            Self::Unproved => "event_unproved",
            Self::Leaf => "leaf_altered",
            Self::Root => "root_altered",
            Self::Leaves => "leaves_unfit",
            Self::SealMissing => "seal_missing",
            Self::HeadRoot => "head_root_altered",
            Self::HeadFrontier => "head_frontier_altered",
            Self::HeadBehind => "head_behind",
            Self::Format(_) => "format_unknown",
            Self::BodyAltered => "body_altered",
            Self::BodyMissing => "body_missing",
            Self::BodyUnbound => "body_unbound",
            Self::TextAltered => "text_altered",
            Self::TextMissing => "text_missing",
            Self::TextUnbound => "text_unbound",
        }
    }
}

/// As in `position 5: the event isn't what was sealed`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.position == self.through {
            write!(f, "position {}: {}", self.position, self.what)
        } else {
            write!(f, "positions {} to {}: {}", self.position, self.through, self.what)
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Altered => "the event isn't what was sealed",
            Self::AlteredOrLeaf => "the event or its stored leaf was altered",
            Self::AlteredAmong => {
                "one of the events isn't what was sealed; which one can't be told, since no sound \
                 leaves of them are stored"
            }
            Self::Missing => "the event is missing",
            Self::Removed { by } => {
                return write!(f, "the event is missing, and that of position {by} in its place");
            }
            Self::Swapped { with } => {
                return write!(f, "the event has changed places with that of position {with}");
            }
            Self::Displaced { to } => {
                return write!(
                    f,
                    "an event that was never sealed stands there; its own is at {to}"
                );
            }
            Self::Extra => "an event stands there, and the log begins at 1",
            Self::TailCut { end } => {
                return write!(f, "the end is cut off: the log went on to position {end}");
            }
            Self::Older { signed } => {
                return write!(
                    f,
                    "the log is older than the checkpoint, which has signed it up to position \
                     {signed}: it was restored from a backup, or its end was cut off with its seals"
                );
            }
            Self::NotSigned => {
                "the events fit their seals, and not the checkpoint: at least one was altered and \
                 all seals made anew; which one can't be told"
            }
            Self::Unproved => "the event's proof doesn't lead to the checkpoint's root",
            Self::Leaf => "the stored leaf was altered; the event is sound",
            Self::Root => "the stored root was altered; the events are sound",
            Self::Leaves => "the stored leaves aren't one for each event of the batch",
            Self::SealMissing => "the root and the leaves of the batch that ends there are missing",
            Self::HeadRoot => "the head's root isn't the one over all events",
            Self::HeadFrontier => "the head's frontier isn't that of all events",
            Self::HeadBehind => "the head stands before the end of the log",
            Self::Format(format) => {
                return write!(f, "the event has format {format}, which isn't known");
            }
            Self::BodyAltered => "the stored body isn't the one that the event binds",
            Self::BodyMissing => "the body is missing, and no event says why",
            Self::BodyUnbound => "there is a body, and the event binds none",
            Self::TextAltered => "the stored text isn't the one that the event binds",
            Self::TextMissing => "the text is missing, and no event says why",
            Self::TextUnbound => "there is a text, and the event binds none",
        };
        f.write_str(text)
    }
}
