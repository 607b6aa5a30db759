//! What to look at: commands that work when pasted.

use std::fmt::Write;
use std::path::Path;

use super::simulator::Stripe;
use crate::cli::token::make;
use crate::clock::Clock;
use crate::config::{AuthConfig, DEFAULT_TENANT};
use crate::roles::Role;

/// How long the printed tokens are valid.
const TOKEN_TTL_S: i64 = 24 * 3_600;

/// The commands, with tokens in them.
pub(super) fn text(
    auth: &AuthConfig,
    url: &str,
    data_dir: &Path,
    stripe: Option<&Stripe>,
) -> anyhow::Result<String> {
    let now = Clock::system().now().unix();
    let token =
        |role, subject| make(auth, &[role], &[], subject, DEFAULT_TENANT, (now, now + TOKEN_TTL_S));
    let (service, auditor) = (token(Role::Service, "tour")?, token(Role::Auditor, "tour")?);
    let get = |who: &str, path: &str| match who {
        "" => format!("curl -s '{url}{path}'"),
        who => format!("curl -s -H \"Authorization: Bearer ${who}\" '{url}{path}'"),
    };
    let mut text = String::from("\nTokens for a day, then things to try (paste them):\n\n");
    let mut line = |line: &str| writeln!(text, "{line}").expect("writing to a string can't fail");
    line(&format!("SERVICE={service}"));
    line(&format!("AUDITOR={auditor}"));
    line("\n# The tiers that are sold");
    line(&get("", "/api/v1/tiers"));
    let cast = stripe.map(Stripe::cast).unwrap_or_default();
    for (situation, trainer) in &cast {
        line(&format!("\n# A trainer who is {situation}: what they have, what they may do"));
        line(&get("SERVICE", &format!("/api/v1/tiers/current?trainer={trainer}")));
        line(&get("SERVICE", &format!("/api/v1/entitlements?trainer={trainer}")));
    }
    if let Some((_, trainer)) = cast.iter().find(|(what, _)| what.contains("add-on")) {
        line("\n# One decision, a life so far, and the events that it is made of");
        line(&get("SERVICE", &format!("/api/v1/entitlements/api_keys?trainer={trainer}")));
        line(&get("SERVICE", &format!("/api/v1/tiers/history?trainer={trainer}&limit=5")));
        line(&get("AUDITOR", &format!("/api/v1/audit/events?trainer={trainer}&limit=3")));
    }
    line("\n# What the service measures");
    line(&get("", "/metrics"));
    if let Some(stripe) = stripe {
        buy(&mut line, stripe, data_dir);
    }
    // As it was started: after `make run` it isn't on the PATH.
    let program = std::env::args().next().unwrap_or_else(|| "ledger".into());
    line("\n# Another token");
    line(&format!(
        "{program} --data-dir {} token --role trainer --subject ada\nEnd with Ctrl-C.",
        data_dir.display()
    ));
    Ok(text)
}

/// A tier bought at the simulator: a page is opened, and its buyer pays.
fn buy(line: &mut impl FnMut(&str), stripe: &Stripe, data_dir: &Path) {
    let Some(offer) = stripe.shop.tiers.first() else { return };
    let sessions = "\"$STRIPE_API_BASE/v1/checkout/sessions\"";
    line("\n# Stripe is a simulator here. A customer's checkout page, paid; then what came of it");
    line(&format!(". {}/dev.env", data_dir.display()));
    line("STRIPE=\"Authorization: Bearer $STRIPE_SECRET_KEY\"");
    line(&format!(
        "PAGE=$(curl -s -H \"$STRIPE\" {sessions} -d mode=subscription \\\n  \
         -d client_reference_id=ada -d 'subscription_data[metadata][trainer_id]=ada' \\\n  \
         -d 'line_items[0][price]={}' -d 'line_items[0][quantity]=1' \\\n  \
         -d success_url=https://app.example.test/ | grep -o 'cs_test_[A-Za-z0-9]*' | head -1)",
        offer.price
    ));
    line(
        "curl -s -H \"$STRIPE\" -X POST \\\n  \
         \"$STRIPE_API_BASE/v1/test_helpers/checkout/sessions/$PAGE/pay\" | grep subscription",
    );
    line("sleep 1  # the webhooks are on their way");
    line(
        "curl -s -H \"Authorization: Bearer $SERVICE\" \"$LEDGER_URL/api/v1/tiers/current?trainer=ada\"",
    );
}
