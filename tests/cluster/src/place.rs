//! Where the files of a cluster are.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::account::Account;
use crate::{Error, Result};

/// The longest path a unix socket can have, on every system we know: `sun_path` without its zero.
const SOCKET_PATH_MAX: usize = 103;

/// Data goes here when root keeps a cluster in a folder that the server's account can't enter,
/// most often a checkout below `/root`.
const RELOCATED: &str = "/var/lib/ledger-cluster";

/// How long a successor waits for the watchdog of a killed process; longer than that one's limits.
const PREDECESSOR_WAIT: Duration = Duration::from_secs(60);

/// The files of one cluster.
#[derive(Debug)]
pub(crate) struct Place {
    /// The server's data; doesn't exist before `initdb` made it.
    pub(crate) data: PathBuf,
    /// The folder of the unix socket.
    pub(crate) socket: PathBuf,
    /// What the server writes about itself.
    pub(crate) log: PathBuf,
    /// Held for as long as a persistent cluster is ours.
    pub(crate) lock: Option<File>,
    temporary: Vec<TempDir>,
}

impl Place {
    /// A place that goes with the process.
    pub(crate) fn temporary(account: &Account) -> Result<Self> {
        let dir = temporary_dir(account)?;
        let socket = dir.path().join("socket");
        fs::create_dir(&socket).map_err(Error::files("create", &socket))?;
        account.share(&socket)?;
        Ok(Self {
            data: dir.path().join("data"),
            socket,
            log: dir.path().join("server.log"),
            lock: None,
            temporary: vec![dir],
        })
    }

    /// A place that stays, taken for this process.
    pub(crate) fn persistent(dir: &Path, account: &Account) -> Result<Self> {
        fs::create_dir_all(dir).map_err(Error::files("create", dir))?;
        let dir = &fs::canonicalize(dir).map_err(Error::files("find", dir))?;
        must_belong_to(dir, rustix::process::geteuid().as_raw())?;
        account.share(dir)?;
        let lock = lock(dir)?;
        let data = data_dir(dir, account)?;

        // Beside the data where that works, since then the URL stays the same from run to run.
        let mut socket = dir.join("socket");
        let mut temporary = Vec::new();
        if fits_a_socket(&socket) && account.reaches(dir)? {
            fs::create_dir_all(&socket).map_err(Error::files("create", &socket))?;
            account.share(&socket)?;
        } else {
            let dir = temporary_dir(account)?;
            socket = dir.path().to_path_buf();
            temporary.push(dir);
        }

        let log = dir.join("server.log");
        keep_one_old(&log)?;
        Ok(Self { data, socket, log, lock: Some(lock), temporary })
    }

    /// The folders to remove in the end.
    pub(crate) fn to_remove(&self) -> Vec<PathBuf> {
        self.temporary.iter().map(|dir| dir.path().to_path_buf()).collect()
    }

    /// The major version that wrote the data, once there is data.
    pub(crate) fn major(&self) -> Result<Option<u32>> {
        let path = self.data.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::files("read", path)(error)),
        }
    }

    /// The end of the server's log, for messages.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 20;
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// The folder of a persistent cluster's data, which may have to be elsewhere.
fn data_dir(dir: &Path, account: &Account) -> Result<PathBuf> {
    let data = dir.join("data");
    if let Ok(elsewhere) = fs::read_link(&data) {
        if elsewhere.parent().is_some_and(Path::exists) {
            return usable(elsewhere, account);
        }
        // Somebody removed the relocated data: start afresh.
        fs::remove_file(&data).map_err(Error::files("remove", &data))?;
    }
    if data.exists() || account.reaches(dir)? {
        return usable(data, account);
    }
    let base = Path::new(RELOCATED);
    fs::create_dir_all(base).map_err(Error::files("create", base))?;
    let home = tempfile::Builder::new().prefix("pg-").tempdir_in(base);
    let home = home.map_err(Error::files("create a folder in", base))?.keep();
    account.share(&home)?;
    let elsewhere = home.join("data");
    symlink(&elsewhere, &data).map_err(Error::files("create", &data))?;
    usable(elsewhere, account)
}

/// Checks that the server will be able to open its data.
fn usable(data: PathBuf, account: &Account) -> Result<PathBuf> {
    if data.exists() {
        must_belong_to(&data, account.uid())?;
    }
    let parent = data.parent().expect("a data folder is in another folder");
    if !account.reaches(parent)? {
        return Err(Error::Unreachable { path: parent.to_path_buf(), user: account.name() });
    }
    Ok(data)
}

fn must_belong_to(path: &Path, expected: u32) -> Result<()> {
    let owner = fs::metadata(path).map_err(Error::files("look at", path))?.uid();
    if owner == expected {
        return Ok(());
    }
    Err(Error::ForeignData { path: path.to_path_buf(), owner, expected })
}

/// Takes the folder for this process, or tells who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.map_err(Error::files("open", &path))?;
    let deadline = Instant::now() + PREDECESSOR_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(Error::files("lock", path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = holder(&mut file);
        // Where the holder is gone its watchdog is about to end the server.
        if holder.is_none_or(is_alive) || Instant::now() >= deadline {
            let holder = holder.map_or("another process".to_owned(), |pid| {
                format!("process {}", pid.as_raw_nonzero())
            });
            return Err(Error::InUse { dir: dir.to_path_buf(), holder });
        }
        pause();
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::files("write", path))?;
    Ok(file)
}

fn holder(file: &mut File) -> Option<Pid> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    text.trim().parse().ok().and_then(Pid::from_raw)
}

fn is_alive(pid: Pid) -> bool {
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

#[expect(clippy::disallowed_methods, reason = "a file lock can't be waited for with a limit")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A fresh folder that the account can enter and whose name leaves room for a socket.
fn temporary_dir(account: &Account) -> Result<TempDir> {
    let bases = [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    for base in bases.iter().filter(|base| base.is_absolute()) {
        let private = fs::Permissions::from_mode(0o700);
        let mut builder = tempfile::Builder::new();
        let Ok(dir) = builder.prefix("ledger-pg-").permissions(private).tempdir_in(base) else {
            continue;
        };
        if fits_a_socket(&dir.path().join("socket")) {
            account.share(dir.path())?;
            if account.reaches(dir.path())? {
                return Ok(dir);
            }
        }
    }
    let tried = bases.map(|base| base.display().to_string()).join(", ");
    Err(Error::NoTemporaryFolder { tried })
}

fn fits_a_socket(dir: &Path) -> bool {
    let socket = dir.join(format!(".s.PGSQL.{}", crate::url::PORT));
    socket.as_os_str().len() <= SOCKET_PATH_MAX
}

/// Keeps the log of the run before, and no older one.
fn keep_one_old(log: &Path) -> Result<()> {
    match fs::rename(log, log.with_extension("log.old")) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::files("rename", log)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_folder_is_no_place_for_a_socket() {
        assert!(fits_a_socket(Path::new("/tmp/ledger-pg-AbCdEf/socket")));
        assert!(!fits_a_socket(Path::new(&format!("/{}", "x".repeat(100)))));
    }
}
