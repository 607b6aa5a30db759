//! The account that runs the server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{command, run};
use crate::{Error, Result};

/// The account that Debian's package creates for the server.
const SERVER_USER: &str = "postgres";

/// Who runs the server: ourselves, or `postgres` when we are root.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    uid: u32,
    /// The account to change to; `None` when we stay who we are.
    drop_to: Option<Ids>,
}

#[derive(Debug, Clone, Copy)]
struct Ids {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account for a server started by this process.
    pub(crate) fn for_this_process() -> Result<Self> {
        let own = rustix::process::geteuid();
        if !own.is_root() {
            return Ok(Self { uid: own.as_raw(), drop_to: None });
        }
        let ids = Ids { uid: look_up("-u")?, gid: look_up("-g")? };
        Ok(Self { uid: ids.uid, drop_to: Some(ids) })
    }

    /// The user id the server runs under.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// A name for messages.
    pub(crate) fn name(&self) -> String {
        match self.drop_to {
            Some(_) => SERVER_USER.to_owned(),
            None => format!("user id {}", self.uid),
        }
    }

    /// A command that runs as this account. The standard library clears the supplementary groups of
    /// root when a user id is set.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = command(program);
        if let Some(ids) = self.drop_to {
            command.uid(ids.uid).gid(ids.gid);
        }
        command
    }

    /// Gives a folder to the account alone.
    pub(crate) fn own(&self, folder: &Path) -> Result<()> {
        if let Some(ids) = self.drop_to {
            chown(folder, Some(ids.uid), Some(ids.gid))
                .map_err(Error::files("change the owner of", folder))?;
        }
        set_mode(folder, 0o700)
    }

    /// Opens a folder of ours to the account, and to nobody else.
    ///
    /// When we are root both of us need it: root stays the owner, the account enters through its
    /// group. That works also for a root without the right to override permissions.
    pub(crate) fn share(&self, folder: &Path) -> Result<()> {
        match self.drop_to {
            None => set_mode(folder, 0o700),
            Some(ids) => {
                chown(folder, Some(0), Some(ids.gid))
                    .map_err(Error::files("change the owner of", folder))?;
                set_mode(folder, 0o770)
            }
        }
    }

    /// Whether the account can enter a folder, all folders above it included.
    pub(crate) fn reaches(&self, folder: &Path) -> Result<bool> {
        if self.drop_to.is_none() {
            return Ok(true);
        }
        let shell = Path::new("/bin/sh");
        let status = self
            .command(shell)
            .args(["-c", r#"cd -- "$1""#, "sh"])
            .arg(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match status {
            Ok(status) => Ok(status.success()),
            Err(source) => Err(Error::Spawn { program: shell.to_path_buf(), source }),
        }
    }
}

fn set_mode(folder: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        .map_err(Error::files("set the permissions of", folder))
}

/// Asks `id`, which knows every kind of user directory.
fn look_up(flag: &str) -> Result<u32> {
    let answer = run(command(Path::new("id")).args([flag, SERVER_USER]));
    let id = answer.ok().and_then(|text| text.trim().parse().ok());
    id.ok_or(Error::NoAccount { user: SERVER_USER })
}
