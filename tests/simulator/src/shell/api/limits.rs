//! How many requests are answered.

use super::failure::Failure;

/// Counts the requests of a second.
#[derive(Debug)]
pub(crate) struct Rate {
    most: Option<u32>,
    second: i64,
    count: u32,
}

impl Rate {
    pub(crate) const fn new(most: Option<u32>) -> Self {
        Self { most, second: 0, count: 0 }
    }

    /// Counts one more.
    pub(crate) fn take(&mut self, now: i64) -> Result<(), Failure> {
        if self.second != now {
            (self.second, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        match self.most {
            Some(most) if self.count > most => Err(Failure::rate_limited()),
            _ => Ok(()),
        }
    }
}
