//! `/v1/webhook_endpoints`.

use serde_json::{Map, Value, json};

use super::endpoint::Hook;
use crate::shell::api::{Failure, bad_request, missing, unknown_parameter};
use crate::shell::render::Version;
use crate::shell::state::State;
use crate::world::{Answer, Method, Request};

const URL: &str = "/v1/webhook_endpoints";

/// The length of an endpoint's id after its prefix.
const ID_LENGTH: usize = 24;

/// The length of a secret after its prefix.
const SECRET_LENGTH: usize = 32;

impl State {
    /// A new secret.
    pub(crate) fn next_secret(&mut self) -> String {
        self.ids.next("whsec_", SECRET_LENGTH)
    }

    /// Answers a request for endpoints; `rest` is what follows in its path.
    pub(crate) fn call_endpoints(
        &mut self,
        call: &Request,
        rest: &[&str],
    ) -> Result<Answer, Failure> {
        let mut params = call.params.clone();
        let object = match (call.method, rest) {
            (Method::Get, []) => {
                no_more(&params)?;
                let hooks = self.outbox.hooks.iter().rev();
                let data = hooks.map(Hook::json).collect();
                return Ok(Answer::List { url: URL.to_owned(), data });
            }
            (Method::Post, []) => self.create(&mut params)?,
            (Method::Get, [id]) => {
                no_more(&params)?;
                self.outbox.find(id).ok_or_else(|| no_such(id))?
            }
            (Method::Post, [id]) => {
                let hook = self.outbox.hook(id).ok_or_else(|| no_such(id))?;
                let mut hook = hook.clone();
                update(&mut hook, &mut params)?;
                no_more(&params)?;
                let (was_turned_off, json) = (!hook.is_enabled, hook.json());
                if let Some(kept) = self.outbox.hook_mut(id) {
                    *kept = hook;
                }
                if was_turned_off {
                    self.outbox.cancel(id, false);
                }
                json
            }
            (Method::Delete, [id]) => {
                no_more(&params)?;
                self.outbox.find(id).ok_or_else(|| no_such(id))?;
                self.outbox.cancel(id, true);
                json!({ "id": id, "object": "webhook_endpoint", "deleted": true })
            }
            _ => {
                let method = format!("{:?}", call.method).to_uppercase();
                return Err(Failure::unknown_url(&method, &call.path));
            }
        };
        Ok(Answer::Object(object))
    }

    /// The answer holds the secret, this once.
    fn create(&mut self, params: &mut Map<String, Value>) -> Result<Value, Failure> {
        for name in ["url", "enabled_events"] {
            if !params.contains_key(name) {
                let message = format!("Missing required param: {name}.");
                return Err(bad_request(Some("parameter_missing"), Some(name), message));
            }
        }
        let version = text(params, "api_version")?;
        let mut hook =
            Hook::new(String::new(), String::new(), String::new(), Vec::new(), self.world.now());
        hook.version = version.map(|name| parse_version(&name)).transpose()?;
        hook.livemode = self.outbox.livemode;
        update(&mut hook, params)?;
        // There are no connected accounts to hear of.
        if params.get("connect").is_some_and(|connect| connect == "false") {
            params.remove("connect");
        }
        no_more(params)?;
        let secret = self.next_secret();
        hook.id = self.ids.next("we_", ID_LENGTH);
        hook.roll(secret.clone(), hook.created, 0);
        let mut json = hook.json();
        json["secret"] = json!(secret);
        self.outbox.hooks.push(hook);
        Ok(json)
    }
}

fn update(hook: &mut Hook, params: &mut Map<String, Value>) -> Result<(), Failure> {
    if let Some(url) = text(params, "url")? {
        let is_url = reqwest::Url::parse(&url).is_ok_and(|url| url.has_host());
        if !is_url || !url.starts_with("http") {
            let message = "Invalid URL: An explicit scheme (such as https) must be provided.";
            return Err(bad_request(Some("url_invalid"), Some("url"), message.to_owned()));
        }
        hook.url = url;
    }
    if let Some(wanted) = params.remove("enabled_events") {
        hook.enabled_events = event_types(&wanted)?;
    }
    if let Some(description) = text(params, "description")? {
        hook.description = Some(description).filter(|description| !description.is_empty());
    }
    match params.remove("metadata") {
        Some(Value::Object(changes)) => {
            for (key, value) in changes {
                if value == "" {
                    hook.metadata.remove(&key);
                } else {
                    hook.metadata.insert(key, value);
                }
            }
        }
        Some(_) => hook.metadata.clear(),
        None => {}
    }
    if let Some(disabled) = text(params, "disabled")? {
        hook.is_enabled = disabled != "true";
    }
    Ok(())
}

/// `customer.subscription.updated`, or `*` for all.
fn event_types(wanted: &Value) -> Result<Vec<String>, Failure> {
    let is_type = |name: &str| {
        let shaped = name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
        name == "*" || (shaped && name.contains('.'))
    };
    let wanted = wanted.as_array().filter(|wanted| !wanted.is_empty());
    let names = wanted.and_then(|wanted| {
        let names = wanted.iter().map(|name| name.as_str().filter(|name| is_type(name)));
        names.map(|name| name.map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    names.ok_or_else(|| {
        let message = "Invalid enabled_events: must be a list of event types, or of *".to_owned();
        bad_request(None, Some("enabled_events"), message)
    })
}

fn parse_version(name: &str) -> Result<Version, Failure> {
    Version::parse(name).ok_or_else(|| {
        let message = format!("Invalid Stripe API version: {name}");
        bad_request(None, Some("api_version"), message)
    })
}

fn text(params: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match params.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad_request(None, Some(name), format!("Invalid string for {name}"))),
    }
}

fn no_more(params: &Map<String, Value>) -> Result<(), Failure> {
    params.keys().next().map_or(Ok(()), |name| Err(unknown_parameter(name)))
}

fn no_such(id: &str) -> Failure {
    missing(404, "webhook endpoint", id, "webhook_endpoint")
}
