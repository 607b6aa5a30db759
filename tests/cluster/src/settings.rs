//! The server settings of a cluster, and why they are what they are.

use std::path::Path;

/// What kind of cluster the settings are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Whether the files go with the process.
    pub(crate) temporary: bool,
    /// Whether a crash of the machine must lose nothing.
    pub(crate) fsync: bool,
}

/// Settings a caller may override: the `-c` options, in order, the later one winning.
pub(crate) fn defaults(kind: Kind) -> Vec<(String, String)> {
    let mut settings = vec![
        // Test binaries run dozens of tests with a pool each.
        ("max_connections", "300"),
        ("shared_buffers", "128MB"),
        // Durability is the promise under test: an append is acknowledged after its commit.
        ("synchronous_commit", "on"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("log_line_prefix", "%m [%p] %q%u@%d "),
    ];
    if !kind.fsync {
        // Only the machine's crash could tell the difference; a killed server loses nothing.
        settings.extend([("fsync", "off"), ("full_page_writes", "off")]);
    }
    if kind.temporary {
        // Shared memory as files of the data folder: containers give /dev/shm only 64 MB, and a
        // server killed by a crash test would leave its segments there.
        settings.push(("dynamic_shared_memory_type", "mmap"));
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Settings nobody may override, since this crate rests on them.
pub(crate) fn fixed(socket_dir: &Path) -> Vec<(String, String)> {
    // The setting is a list; quotes keep a comma in a folder's name from dividing it.
    let socket_dir = socket_dir.display().to_string().replace('"', "\"\"");
    let settings = [
        ("listen_addresses", String::new()),
        ("port", crate::url::PORT.to_string()),
        ("unix_socket_directories", format!("\"{socket_dir}\"")),
        // The folder keeps others out; inside it root and the server's account both connect.
        ("unix_socket_permissions", "0777".to_owned()),
        // A collector would take over the pipe by which we see the last process end.
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
    ];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
