//! Who used the processors while something was measured.

use std::time::{Duration, Instant};

use crate::processes::{cpu_time, cpu_time_of_family, cpu_time_of_machine};

/// Processor time so far, by who used it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    service: Duration,
    postgres: Duration,
    generator: Duration,
    machine: Duration,
}

/// Processors used on average: 1.0 is one of them, all the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) service: f64,
    pub(crate) postgres: f64,
    pub(crate) generator: f64,
    /// Everything else on the machine: a round with much of it says little.
    pub(crate) others: f64,
    /// Microseconds of wall time per webhook. Times a share this is the processor time that one
    /// webhook takes, which hardly depends on what else the machine does.
    pub(crate) micros_each: f64,
}

impl Usage {
    pub(crate) fn now(service: u32, postmaster: u32) -> Self {
        Self {
            at: Instant::now(),
            service: cpu_time(service),
            postgres: cpu_time_of_family(postmaster),
            generator: cpu_time(std::process::id()),
            machine: cpu_time_of_machine(),
        }
    }

    /// What was used since then, while so many webhooks were taken in.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(crate) fn since(self, then: Self, webhooks: usize) -> Share {
        let wall = self.at - then.at;
        let share = |now: Duration, then: Duration| {
            now.saturating_sub(then).as_secs_f64() / wall.as_secs_f64()
        };
        let service = share(self.service, then.service);
        let postgres = share(self.postgres, then.postgres);
        let generator = share(self.generator, then.generator);
        let machine = share(self.machine, then.machine);
        let others = (machine - service - postgres - generator).max(0.0);
        let micros_each = wall.as_secs_f64() * 1e6 / webhooks as f64;
        Share { service, postgres, generator, others, micros_each }
    }
}
