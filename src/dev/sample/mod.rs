//! Months in the life of a small product, lived in the simulator.
//!
//! Nobody makes up a webhook: people sign up, buy, pay and leave by calls to the simulator, at
//! times of their own, and it tells of what followed as Stripe would. The first few trainers have
//! stories that end today in a situation worth a look, the others live by chance. To let something
//! else happen, add an `Act`, what it does in `acts.rs`, and how often in `fates.rs`.

mod acts;
mod agenda;
mod cast;
mod dice;
mod fates;

pub(super) use cast::{Cast, cast};

use indicatif::{ProgressBar, ProgressStyle};
use ledger_simulator::shell::{Account, JournalError};
use ledger_simulator::world::{Answer, Method};
use serde_json::Map;

use super::shop::Shop;
use acts::Player;

const DAY: i64 = 86_400;
/// How far back the sample begins.
pub(super) const SECONDS: i64 = 200 * DAY;
/// How many trainers sign up in that time.
const TRAINERS: usize = 220;
const SEED: u64 = 20_260_101;
/// The metadata of a customer who is in a sample.
const MARK: &str = "sample";

/// What is in an account, as far as a sample is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Nobody has bought anything.
    Nobody,
    /// A sample, and whatever came after it.
    Sample,
    /// Somebody's own doing.
    Others,
}

/// Looks whose customers there are.
pub(super) fn inside(account: &mut Account) -> Inside {
    let customers = match account.call(Method::Get, "/v1/customers", Map::new()) {
        Ok(Answer::List { data, .. }) => data,
        _ => Vec::new(),
    };
    if customers.iter().any(|customer| customer["metadata"][MARK].is_string()) {
        Inside::Sample
    } else if customers.is_empty() {
        Inside::Nobody
    } else {
        Inside::Others
    }
}

/// Lives until then in an account that begins [`SECONDS`] before. Between two acts it can be
/// dropped.
///
/// # Errors
/// When the account can't be written down.
pub(super) async fn play(
    account: &mut Account,
    shop: &Shop,
    until: i64,
) -> Result<(), JournalError> {
    let start = account.world().now();
    let bar = progress_bar((until - start) / DAY);
    let mut player = Player::new(account, shop, SEED, until);
    player.plan_lives(start);
    while let Some(at) = player.step()? {
        bar.set_position(u64::try_from((at - start) / DAY).unwrap_or(0));
        tokio::task::yield_now().await;
    }
    bar.finish_and_clear();
    Ok(())
}

fn progress_bar(days: i64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "living months of a small product  {bar:32} day {pos} of {len}  {eta} left",
    );
    let bar = ProgressBar::new(u64::try_from(days).unwrap_or(0));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

#[cfg(test)]
mod tests;
