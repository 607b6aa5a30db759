//! References replaced by what they refer to.

use serde_json::{Map, Value, json};

use super::failure::{Failure, bad_request};

const LEVELS_MAX: usize = 4;
const PATHS_MAX: usize = 20;

/// What is to be expanded: paths into an answer, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expansion(Vec<Vec<String>>);

impl Expansion {
    /// Takes the paths out of a request's parameters.
    pub(crate) fn take(params: &mut Map<String, Value>) -> Result<Self, Failure> {
        let refuse = |message: String| bad_request(None, Some("expand"), message);
        let paths = match params.remove("expand") {
            None => return Ok(Self(Vec::new())),
            Some(Value::Array(paths)) if paths.len() <= PATHS_MAX => paths,
            Some(Value::Array(_)) => return Err(refuse(format!("At most {PATHS_MAX} expansions"))),
            Some(_) => return Err(refuse("Invalid array".to_owned())),
        };
        let mut split = Vec::new();
        for path in &paths {
            let path = path.as_str().ok_or_else(|| refuse("Invalid string".to_owned()))?;
            let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
            if steps.len() > LEVELS_MAX {
                return Err(refuse(format!(
                    "You cannot expand more than {LEVELS_MAX} levels of a property ({path})."
                )));
            }
            split.push(steps);
        }
        Ok(Self(split))
    }

    /// Whether there's nothing to expand.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Expands an answer in place. `find` gives an object in the answer's own shape.
    pub(crate) fn apply(
        &self,
        answer: &mut Value,
        find: &dyn Fn(&str) -> Option<Value>,
    ) -> Result<(), Failure> {
        for path in &self.0 {
            expand(answer, path, find).map_err(|()| {
                let path = path.join(".");
                let message = format!("This property cannot be expanded ({path}).");
                bad_request(None, Some("expand"), message)
            })?;
        }
        Ok(())
    }
}

fn expand(
    value: &mut Value,
    path: &[String],
    find: &dyn Fn(&str) -> Option<Value>,
) -> Result<(), ()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    if let Value::Array(values) = value {
        // Members of a list may be of different kinds; some lack what others have.
        for value in values.iter_mut().filter(|value| value.get(step).is_some()) {
            expand(value, path, find)?;
        }
        return Ok(());
    }
    if step == "confirmation_secret" && value["object"] == "invoice" {
        value[step] = confirmation_secret(value, find);
    }
    let inner = value.get_mut(step).ok_or(())?;
    match inner {
        Value::Null => return Ok(()),
        Value::Object(_) => {}
        Value::Array(references) => {
            for reference in references {
                resolve(reference, find)?;
            }
        }
        _ => resolve(inner, find)?,
    }
    expand(inner, rest, find)
}

/// What a page needs to confirm an open invoice's payment. An invoice shows it only to who asks.
fn confirmation_secret(invoice: &Value, find: &dyn Fn(&str) -> Option<Value>) -> Value {
    let payments = invoice["payments"]["data"].as_array().into_iter().flatten();
    let mut intents = payments.map(|payment| &payment["payment"]["payment_intent"]);
    let intent = intents.next().unwrap_or(&invoice["payment_intent"]);
    let secret = |intent: Value| intent["client_secret"].clone();
    match intent.as_str().and_then(find).map(secret) {
        Some(secret) if invoice["status"] == "open" => {
            json!({ "client_secret": secret, "type": "payment_intent" })
        }
        _ => Value::Null,
    }
}

fn resolve(reference: &mut Value, find: &dyn Fn(&str) -> Option<Value>) -> Result<(), ()> {
    match reference {
        Value::String(id) => *reference = find(id).ok_or(())?,
        Value::Object(_) => {}
        _ => return Err(()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, answer: Value) -> Result<Value, Failure> {
        let mut params = json!({"expand": [path]}).as_object().unwrap().clone();
        let mut answer = answer;
        Expansion::take(&mut params)?.apply(&mut answer, &|id| match id {
            "cus_1" => Some(json!({"id": "cus_1", "boss": "cus_2"})),
            "cus_2" => Some(json!({"id": "cus_2", "boss": null})),
            "in_1" => Some(json!({"object": "invoice", "status": "open", "payments":
                {"data": [{"payment": {"payment_intent": "pi_1"}}]}})),
            "pi_1" => Some(json!({"client_secret": "pi_1_secret"})),
            _ => None,
        })?;
        Ok(answer)
    }

    #[test]
    fn references_become_objects() {
        let boss = json!({"id": "cus_2", "boss": null});
        assert_eq!(
            check("customer.boss", json!({"customer": "cus_1"})),
            Ok(json!({"customer": {"id": "cus_1", "boss": boss}}))
        );
        assert_eq!(
            check("data.customer", json!({"data": [{"customer": "cus_2"}, {}]})),
            Ok(json!({"data": [{"customer": boss}, {}]}))
        );
        assert_eq!(check("all", json!({"all": ["cus_2"]})), Ok(json!({"all": [boss]})));
        assert_eq!(
            check("customer.boss", json!({"customer": null})),
            Ok(json!({"customer": null}))
        );
    }

    #[test]
    fn an_open_invoice_tells_the_secret_that_confirms_it() {
        let answer = json!({"latest_invoice": "in_1"});
        let answer = check("latest_invoice.confirmation_secret", answer).unwrap();
        let secret = json!({"client_secret": "pi_1_secret", "type": "payment_intent"});
        assert_eq!(answer["latest_invoice"]["confirmation_secret"], secret);
        let paid = json!({"object": "invoice", "status": "paid"});
        assert_eq!(check("confirmation_secret", paid).unwrap()["confirmation_secret"], Value::Null);
    }

    #[test]
    fn what_refers_to_nothing_is_refused() {
        for (path, answer) in [
            ("status", json!({"status": "active"})),
            ("count", json!({"count": 1})),
            ("nothing", json!({})),
            ("a.b.c.d.e", json!({"a": null})),
        ] {
            assert_eq!(check(path, answer).unwrap_err().status(), 400, "{path}");
        }
    }
}
