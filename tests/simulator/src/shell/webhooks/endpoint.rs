//! An endpoint and its secrets.

use serde_json::{Map, Value, json};

use crate::adversary::Plan;
use crate::shell::render::Version;

/// Somewhere to post events to.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) enabled_events: Vec<String>,
    /// The version it asked for; none for the account's.
    pub(crate) version: Option<Version>,
    /// Newest first.
    secrets: Vec<Secret>,
    pub(crate) is_enabled: bool,
    pub(crate) created: i64,
    pub(crate) livemode: bool,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) plan: Option<Plan>,
    /// The events that wait for the next pass, by their place in the world's list.
    pub(crate) waiting: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Secret {
    text: String,
    /// When it ends; the newest one never does.
    until: Option<i64>,
}

impl Hook {
    pub(crate) fn new(
        id: String,
        url: String,
        secret: String,
        enabled_events: Vec<String>,
        created: i64,
    ) -> Self {
        Self {
            id,
            url,
            enabled_events,
            version: None,
            secrets: vec![Secret { text: secret, until: None }],
            is_enabled: true,
            created,
            livemode: false,
            description: None,
            metadata: Map::new(),
            plan: None,
            waiting: Vec::new(),
        }
    }

    /// The secrets that sign at a time.
    pub(crate) fn secrets(&self, now: i64) -> impl Iterator<Item = &str> {
        let valid = move |secret: &&Secret| secret.until.is_none_or(|until| now < until);
        self.secrets.iter().filter(valid).map(|secret| secret.text.as_str())
    }

    /// Takes a new secret; the others sign for some time yet.
    pub(crate) fn roll(&mut self, secret: String, now: i64, overlap_seconds: i64) {
        let until = now + overlap_seconds;
        for old in &mut self.secrets {
            old.until = Some(old.until.unwrap_or(until).min(until));
        }
        self.secrets.retain(|old| old.until.is_none_or(|until| now < until));
        self.secrets.insert(0, Secret { text: secret, until: None });
    }

    /// Whether it's to get events of this type.
    pub(crate) fn wants(&self, event_type: &str, account: &Version) -> bool {
        let version = self.version.as_ref().unwrap_or(account);
        let named = self.enabled_events.iter().any(|name| name == "*" || name == event_type);
        self.is_enabled && named && version.knows(event_type)
    }

    /// `/api/webhook_endpoints/object`
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.version.as_ref().map(Version::name),
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": self.livemode,
            "metadata": self.metadata,
            "status": if self.is_enabled { "enabled" } else { "disabled" },
            "url": self.url,
        })
    }
}
