//! A real nginx, configured as docs/gateway.md says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::{Service, Settings, command};

const DOCUMENTED: &str = include_str!("../../../docs/gateway.md");

/// How often to look for a port that stays free until nginx listens on it.
const ATTEMPTS: usize = 20;

/// Who runs it.
#[derive(Debug, Clone, Copy)]
pub(super) enum User {
    /// Whoever runs the tests.
    Own,
    /// An ordinary user (`nobody`), which root can become.
    Ordinary,
}

/// Runs until it is dropped.
pub(super) struct Nginx {
    pub(super) url: String,
    _process: Service,
    _folder: TempDir,
}

impl User {
    /// Those who can run it here.
    pub(super) fn all(is_root: bool) -> Vec<Self> {
        if is_root { vec![Self::Own, Self::Ordinary] } else { vec![Self::Own] }
    }

    const fn id(self) -> Option<u32> {
        match self {
            Self::Own => None,
            Self::Ordinary => Some(65_534),
        }
    }
}

/// Whether the tests are run by root.
pub(super) fn is_root() -> bool {
    let told = Command::new("id").arg("-u").output().expect("id runs");
    told.stdout == b"0\n"
}

impl Nginx {
    /// In front of the ledger and an application, both as URLs.
    pub(super) async fn start(user: User, ledger: &str, app: &str) -> Self {
        let program = program();
        for _ in 0..ATTEMPTS {
            let folder = TempDir::new().unwrap();
            let port = free_port().await;
            write(folder.path(), port, ledger, app);
            let mut nginx = command(&program, &Settings::none(), &arguments(folder.path()));
            if let Some(id) = user.id() {
                hand_over(folder.path(), id);
                nginx.uid(id).gid(id);
            }
            match Service::spawn(nginx, listens).await {
                Ok(process) => {
                    let url = format!("http://127.0.0.1:{port}");
                    return Self { url, _process: process, _folder: folder };
                }
                Err(told) => assert!(told.contains("Address already in use"), "{told}"),
            }
        }
        panic!("no port stays free");
    }
}

/// Debian's is not where an ordinary user looks.
fn program() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("nginx")).find(|program| program.is_file());
    let found = found.expect("nginx is installed: tools/setup.sh does it");
    found.to_str().expect("a path in UTF-8").to_owned()
}

fn arguments(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("a path in UTF-8");
    let conf = format!("{folder}/nginx.conf");
    ["-p", folder, "-c", &conf, "-e", "stderr"].map(str::to_owned).into()
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// What nginx says once it listens.
fn listens(line: &str) -> Option<String> {
    line.contains("event method").then(String::new)
}

/// The documented configuration, with addresses of this test's.
fn write(folder: &Path, port: u16, ledger: &str, app: &str) {
    let block = DOCUMENTED.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut block = block.expect("a configuration").to_owned();
    for (documented, ours) in [
        ("127.0.0.1:8080", ledger.trim_start_matches("http://").to_owned()),
        ("127.0.0.1:3000", app.trim_start_matches("http://").to_owned()),
        ("listen 80;", format!("listen 127.0.0.1:{port};")),
    ] {
        assert_eq!(block.matches(documented).count(), 1, "{documented}");
        block = block.replace(documented, &ours);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {kind};\n"))
        .concat();
    // One process, so that nothing is left of it once that has ended.
    let whole = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\n\
         events {{}}\nhttp {{\n    access_log off;\n{temporary}{block}}}\n"
    );
    fs::write(folder.join("nginx.conf"), whole).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn hand_over(folder: &Path, id: u32) {
    for path in [folder.to_owned(), folder.join("nginx.conf")] {
        chown(path, Some(id), Some(id)).unwrap();
    }
}
