//! The least that an HTTP server does: a bare axum process that sends bytes made beforehand.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::service::{Server, free_address};

/// Starts this program once more, as the bare server that answers this. The folder holds what it
/// is to answer.
///
/// # Errors
/// When it doesn't get ready.
pub(crate) fn start(answer: &[u8]) -> Result<(TempDir, Server)> {
    let folder = tempfile::tempdir()?;
    let body = folder.path().join("answer.json");
    fs::write(&body, answer)?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--bare-server", &address.to_string(), "--bare-body"]).arg(&body);
    Ok((folder, Server::start(&mut command, address, "/")?))
}

/// Serves until the process is ended, on as many threads as the ledger.
///
/// # Errors
/// When the address is taken.
pub(crate) fn serve(address: SocketAddr, body: &Path) -> Result<()> {
    let body = Bytes::from(fs::read(body).context("no body to answer with")?);
    let answer = move || {
        let body = body.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], body) }
    };
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/api/v1/entitlements/{feature}", get(answer));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
