//! References replaced by what they refer to.

use serde_json::{Map, Value, json};

use super::failure::{Failure, bad_request};

const LEVELS_MAX: usize = 4;
const PATHS_MAX: usize = 20;

/// Where objects are found, in the answer's own shape.
pub(crate) trait Source {
    /// An object by its id.
    fn object(&self, id: &str) -> Option<Value>;

    /// The list of an invoice's payments, in shapes that have it.
    fn payments_of(&self, invoice: &str) -> Option<Value>;
}

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

    /// Expands an answer in place.
    pub(crate) fn apply(&self, answer: &mut Value, source: &dyn Source) -> Result<(), Failure> {
        for path in &self.0 {
            expand(answer, path, source).map_err(|()| {
                let path = path.join(".");
                let message = format!("This property cannot be expanded ({path}).");
                bad_request(None, Some("expand"), message)
            })?;
        }
        Ok(())
    }
}

fn expand(value: &mut Value, path: &[String], source: &dyn Source) -> Result<(), ()> {
    let Some((step, rest)) = path.split_first() else { return Ok(()) };
    if let Value::Array(values) = value {
        // Members of a list may be of different kinds; some lack what others have.
        let has = |value: &&mut Value| value.get(step).is_some() || may_have(value, step);
        for value in values.iter_mut().filter(has) {
            expand(value, path, source)?;
        }
        return Ok(());
    }
    if may_have(value, step) {
        include(value, step, source)?;
    }
    let inner = value.get_mut(step).ok_or(())?;
    match inner {
        Value::Null => return Ok(()),
        Value::Object(_) => {}
        Value::Array(references) => {
            for reference in references {
                resolve(reference, source)?;
            }
        }
        _ => resolve(inner, source)?,
    }
    expand(inner, rest, source)
}

/// Whether it's something that an object shows only to who asks.
fn may_have(object: &Value, field: &str) -> bool {
    object["object"] == "invoice" && ["confirmation_secret", "payments"].contains(&field)
}

/// Puts it there.
fn include(invoice: &mut Value, field: &str, source: &dyn Source) -> Result<(), ()> {
    // What was put there for one path is there for the next.
    if invoice[field].is_object() {
        return Ok(());
    }
    let payments = invoice["id"].as_str().and_then(|id| source.payments_of(id)).ok_or(())?;
    invoice[field] =
        if field == "payments" { payments } else { secret(invoice, &payments, source) };
    Ok(())
}

/// What a page needs to confirm an open invoice's payment.
fn secret(invoice: &Value, payments: &Value, source: &dyn Source) -> Value {
    let intent = payments["data"][0]["payment"]["payment_intent"].as_str();
    let secret = |intent: Value| intent["client_secret"].clone();
    match intent.and_then(|id| source.object(id)).map(secret) {
        Some(secret) if invoice["status"] == "open" => {
            json!({ "client_secret": secret, "type": "payment_intent" })
        }
        _ => Value::Null,
    }
}

fn resolve(reference: &mut Value, source: &dyn Source) -> Result<(), ()> {
    match reference {
        Value::String(id) => *reference = source.object(id).ok_or(())?,
        Value::Object(_) => {}
        _ => return Err(()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Few;

    impl Source for Few {
        fn object(&self, id: &str) -> Option<Value> {
            match id {
                "cus_1" => Some(json!({"id": "cus_1", "boss": "cus_2"})),
                "cus_2" => Some(json!({"id": "cus_2", "boss": null})),
                "in_1" => Some(json!({"id": "in_1", "object": "invoice", "status": "open"})),
                "pi_1" => Some(json!({"id": "pi_1", "client_secret": "pi_1_secret"})),
                _ => None,
            }
        }

        fn payments_of(&self, invoice: &str) -> Option<Value> {
            let payments = json!({"data": [{"payment": {"payment_intent": "pi_1"}}]});
            (invoice == "in_1").then_some(payments)
        }
    }

    fn check(path: &str, answer: Value) -> Result<Value, Failure> {
        let mut params = json!({"expand": [path]}).as_object().unwrap().clone();
        let mut answer = answer;
        Expansion::take(&mut params)?.apply(&mut answer, &Few)?;
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
        let paid = json!({"id": "in_1", "object": "invoice", "status": "paid"});
        assert_eq!(check("confirmation_secret", paid).unwrap()["confirmation_secret"], Value::Null);
    }

    #[test]
    fn an_invoice_shows_its_payments_to_who_asks() {
        let list = json!({"data": [{"id": "in_1", "object": "invoice"}, {"id": "sub_1"}]});
        let answer = check("data.payments.data.payment", list).unwrap();
        let payment = json!({"data": [{"payment": {"payment_intent": "pi_1"}}]});
        assert_eq!(answer["data"][0]["payments"], payment);
        assert_eq!(answer["data"][1].get("payments"), None);
        // In a shape that doesn't have them.
        let older = json!({"id": "in_2", "object": "invoice"});
        assert_eq!(check("payments", older).unwrap_err().status(), 400);
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
