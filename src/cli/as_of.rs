//! `ledger replay as-of`: what a trainer could do at a past instant, from the log.

use std::sync::Arc;

use clap::Args;
use ledger_domain::catalog::FeatureKind;
use ledger_domain::effective::{Entitlement, check};
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{Pools, PostgresLog};
use ledger_replay::{AsOf, AsOfError, Moment, Then};

use super::failure::Failure;
use crate::clock::Clock;
use crate::config::{DEFAULT_TENANT, Environment, TenantsConfig};
use crate::http::Entitlements;

/// How many events are read: an operator may have more patience than the service.
const EVENTS_MAX: usize = 100_000;

#[derive(Debug, Args)]
pub(super) struct AsOfArguments {
    /// Whom to ask about
    #[arg(long, value_name = "ID", value_parser = |text: &str| TrainerId::try_new(text))]
    trainer: TrainerId,
    /// The instant asked about, as 2026-11-01T00:00:00Z: what happened later doesn't count
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
    /// What the ledger learnt later doesn't count; all it knows now unless set
    #[arg(long, value_name = "TIME")]
    known_at: Option<Timestamp>,
    /// Whose trainer
    #[arg(long, default_value = DEFAULT_TENANT, value_parser = |text: &str| Tenant::try_new(text))]
    tenant: Tenant,
    /// Print one JSON document, as `GET /api/v1/entitlements` does
    #[arg(long)]
    json: bool,
}

impl AsOfArguments {
    pub(super) async fn run(
        self,
        pools: &Pools,
        log: &Arc<PostgresLog>,
        environment: &Environment,
    ) -> Result<(), Failure> {
        let tenants = TenantsConfig::read(environment).map_err(Failure::usage)?;
        let billing = tenants.billing(&self.tenant);
        let now = Clock::system().now();
        if self.at > now || self.known_at.is_some_and(|at| at > now) {
            return Err(Failure::usage(anyhow::anyhow!("the instant lies ahead: nobody knows")));
        }
        let as_of = AsOf::new(pools, Arc::clone(log) as _).limited_to(EVENTS_MAX);
        let moment = Moment::past(self.at, self.known_at);
        let then =
            as_of.ask((&self.tenant, billing), &self.trainer, moment).await.map_err(failure)?;
        if self.json {
            let position = then.complete_to();
            let shown =
                Entitlements::new(self.trainer, &then.answer, &then.used, moment.as_of(), position);
            println!("{}", serde_json::to_string_pretty(&shown).map_err(Failure::unavailable)?);
        } else {
            print!("{}", self.told(&then));
        }
        Ok(())
    }

    /// The answer for people: one line for each feature.
    fn told(&self, then: &Then) -> String {
        let known = self.known_at.map_or_else(|| "now".to_owned(), |at| format!("at {at}"));
        let mut text = format!(
            "{} as of {}, by what was known {known} (up to position {})\n",
            self.trainer,
            self.at,
            then.complete_to()
        );
        let answer = &then.answer;
        let tier = answer.tier.as_ref().map_or("none", |tier| tier.slug.as_str());
        let (status, access) = (answer.status.as_str(), answer.access.as_str());
        text.push_str(&line("tier", &format!("{tier}, status {status}, access {access}")));
        for (feature, has) in &answer.features {
            let used = then.used.get(feature).copied().unwrap_or_default();
            text.push_str(&line(feature.as_str(), &in_short(has, used, then)));
        }
        if !then.outcome.enforced {
            text.push_str(&line(
                "enforcement",
                &format!("{}: nothing is denied", then.outcome.mode),
            ));
        }
        if let Some(position) = then.lacks {
            text.push_str(&line("lacks", &format!("the event at position {position} and later")));
        }
        text
    }
}

fn line(name: &str, text: &str) -> String {
    format!("  {name:<24} {text}\n")
}

fn in_short(has: &Entitlement, used: u64, then: &Then) -> String {
    let denial = check(has, used, 1, then.outcome).denial;
    let by = has.giver.as_ref().map_or("nothing", |giver| giver.as_str());
    let counted = match has.limit() {
        _ if has.kind == FeatureKind::Flag => String::new(),
        Some(limit) => format!(", {used} of {limit} used"),
        None if has.granted() => format!(", {used} used, unlimited"),
        None => String::new(),
    };
    match denial {
        None => format!("granted by {by}{counted}"),
        Some(denial) => format!("{}{counted}", denial.code()),
    }
}

fn failure(error: AsOfError) -> Failure {
    match error {
        AsOfError::TooMany { .. } | AsOfError::NothingKnown | AsOfError::Fold => {
            Failure::found(error)
        }
        AsOfError::Behind { .. } | AsOfError::Busy | AsOfError::Query(_) | AsOfError::Log(_) => {
            Failure::unavailable(error)
        }
    }
}
