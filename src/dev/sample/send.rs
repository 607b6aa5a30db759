//! Sends webhooks the way Stripe does: signed, several at a time, again when they fail.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use ledger_stripe::signature::{SigningSecret, sign};

use super::Webhook;
use crate::clock::Clock;

/// How many are under way at the same time.
const CONCURRENCY: usize = 16;
/// How often one is sent before the sample gives up.
const ATTEMPTS_MAX: u32 = 5;
/// One in so many is delivered twice, as happens.
const REPEATED_EVERY: usize = 97;

/// Where webhooks go.
pub(crate) struct Target {
    /// The whole URL.
    pub(crate) url: String,
    /// What to sign with.
    pub(crate) secret: SigningSecret,
    /// What time the signatures tell.
    pub(crate) clock: Clock,
}

/// Sends all webhooks, showing how far it is.
///
/// # Errors
/// When one is refused, or can't be delivered after several attempts.
pub(crate) async fn send(target: Target, webhooks: Vec<Webhook>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .no_proxy()
        .build()
        .context("prepare to send webhooks")?;
    let bar = progress_bar(webhooks.len());
    let target = Arc::new(target);
    let sent = futures::stream::iter(webhooks.into_iter().enumerate())
        .map(|(nth, webhook)| {
            let (client, target, bar) = (client.clone(), Arc::clone(&target), bar.clone());
            async move {
                deliver(&client, &target, &webhook).await?;
                if nth % REPEATED_EVERY == 0 {
                    deliver(&client, &target, &webhook).await?;
                }
                bar.inc(1);
                anyhow::Ok(())
            }
        })
        .buffer_unordered(CONCURRENCY);
    let results: Vec<anyhow::Result<()>> = sent.collect().await;
    bar.finish_and_clear();
    results.into_iter().collect()
}

async fn deliver(
    client: &reqwest::Client,
    target: &Target,
    webhook: &Webhook,
) -> anyhow::Result<()> {
    let mut last = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            pause(attempt).await;
        }
        let signature = sign(&target.secret, target.clock.now().unix(), &webhook.body);
        let request = client
            .post(&target.url)
            .header("stripe-signature", signature)
            .header("content-type", "application/json")
            .body(webhook.body.clone());
        last = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if answer.status().is_client_error() => {
                bail!("a webhook of the sample was refused: {}", answer.status());
            }
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.without_url().to_string(),
        };
    }
    bail!("a webhook of the sample could not be delivered: {last}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause between attempts; whoever waits can drop it"
)]
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(200) * attempt).await;
}

fn progress_bar(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "playing months of webhooks {bar:32} {human_pos}/{human_len}  {per_sec}  {eta} left",
    );
    let bar = ProgressBar::new(count.try_into().unwrap_or(u64::MAX));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
