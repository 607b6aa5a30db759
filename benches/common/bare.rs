//! The least that an HTTP server does: a bare axum process, as a baseline.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::service::{Server, free_address};

/// What a program is told in order to be that server instead of a bench.
pub(crate) const ARGUMENT: &str = "--bare-server";

/// Starts this program once more, as the bare server.
///
/// # Errors
/// When it doesn't get ready.
pub(crate) fn start() -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ARGUMENT, &address.to_string()]);
    Server::start(&mut command, address, "/")
}

/// Serves until the process is ended: takes any webhook and forgets it.
///
/// # Errors
/// When the address is taken.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let take = |_: Bytes| async {
        let body = r#"{"status":"appended","event_id":"evt_1A9xW20mQrT","position":1}"#;
        ([(header::CONTENT_TYPE, "application/json")], body)
    };
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/api/v1/webhooks/stripe", post(take));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
