//! How many files and connections the system lets this process have open.
//!
//! Most systems allow 1,024 unless a process asks for more, which it may up to a second limit: the
//! first one is for programs that use `select`, and this one doesn't.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What everything but callers' connections needs: the database, files of secrets, the runtime.
const OTHERS: u64 = 128;

/// Asks the system for so many connections of callers, and tells how many there may be: at least
/// one.
pub(crate) fn for_connections(wanted: usize) -> usize {
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let allowed = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
        let raised = rustix::process::Rlimit { current: Some(allowed), ..limit };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let open_max = limit.current.unwrap_or(u64::MAX);
    let connections = usize::try_from(open_max.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    if connections < wanted {
        tracing::warn!(
            open_files_max = open_max,
            connections,
            "fewer connections than {wanted}: raise the limit of open files (ulimit -Hn, LimitNOFILE)"
        );
    }
    connections.clamp(1, wanted)
}
