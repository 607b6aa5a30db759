//! The process that outlives us, to end the server and remove its files.
//!
//! A `Drop` doesn't run when a process is killed, and not for a `static` either. So each cluster
//! has a small shell process that reads a pipe whose only writer is this process. However we end,
//! the kernel closes the pipe, the shell sees its end and cleans up. Through the same pipe we tell
//! it which process to end. Rust opens pipes close-on-exec, so programs that we start don't hold
//! the writing end.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

use crate::command::command;
use crate::{Error, Result};

/// Reads process ids, the last one counts and 0 means none; at the end of the pipe it ends that
/// process, first politely, and removes the folders given as arguments.
///
/// A zombie counts as ended: in a container nobody may collect the children of a dead process.
/// Removing is tried again because a process that is just ending may still write.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
pid=0
while read -r line; do pid=$line; done
alive() {
    kill -0 "$pid" || return 1
    read -r _ _ state _ <"/proc/$pid/stat" || return 0
    [ "$state" != Z ]
}
end() {
    alive && kill -"$1" "$pid"
    tries=$2
    while [ "$tries" -gt 0 ] && alive; do sleep 0.1; tries=$((tries - 1)); done
}
if [ "$pid" -gt 0 ]; then
    end INT 300
    end QUIT 100
    end KILL 100
fi
tries=50
while [ "$tries" -gt 0 ] && ! rm -rf -- "$@"; do sleep 0.1; tries=$((tries - 1)); done
"#;

/// Our end of the pipe, and the shell at the other.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts watching over this process.
    ///
    /// `remove` is what to delete in the end. `lock` is held until all is done, so that a successor
    /// waits for the server to be gone, and not only for us.
    pub(crate) fn start(remove: &[PathBuf], lock: Option<&File>) -> Result<Self> {
        let shell = Path::new("/bin/sh");
        let lock = match lock {
            Some(file) => file.try_clone().map_err(Error::process("guard"))?.into(),
            None => Stdio::null(),
        };
        let mut shell = command(shell)
            .args(["-c", SCRIPT, "ledger-cluster-watchdog"])
            .args(remove)
            .stdin(Stdio::piped())
            // An inherited output would keep whoever reads ours waiting for the watchdog.
            .stdout(lock)
            .stderr(Stdio::null())
            // Out of the terminal's reach: Ctrl-C is for us, the watchdog has to come after.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: shell.to_path_buf(), source })?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Makes a process the one that ends with us.
    pub(crate) fn watch(&self, pid: u32) -> Result<()> {
        let mut pipe = self.pipe.as_ref().expect("the pipe is open until drop");
        // Short enough for the kernel to write in one piece.
        pipe.write_all(format!("{pid}\n").as_bytes()).map_err(Error::process("guard"))
    }

    /// Declares that there is no process to end any more; called once it was waited for, when its
    /// id may come to belong to another.
    pub(crate) fn watch_nothing(&self) -> Result<()> {
        self.watch(0)
    }
}

impl Drop for Watchdog {
    /// Lets the watchdog do its work now, and waits for it, so that the folders are gone and the
    /// lock is free when this returns. The script limits how long that takes.
    fn drop(&mut self) {
        drop(self.pipe.take());
        // Nothing to report to, and nothing to do about a watchdog that can't be waited for.
        let _ = self.shell.wait();
    }
}
