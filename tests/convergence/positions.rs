//! Stored states of units without what the order of arrival decides: the places of their events in
//! the log.

use serde_json::Value;

/// A stored state, with the positions inside it taken out.
pub(crate) fn without_positions(state: &[u8]) -> Value {
    let mut state = serde_json::from_slice(state).expect("a stored state is JSON");
    forget_positions(&mut state);
    state
}

/// A fact is stored as a list of nine, its position the fourth; a claim has a field for it; of an
/// administrator's acts that link a customer nothing but their positions is stored, so that their
/// number is left.
fn forget_positions(state: &mut Value) {
    match state {
        Value::Array(fact)
            if fact.len() == 9 && fact[0].is_i64() && fact[1].is_string() && fact[3].is_i64() =>
        {
            fact[3] = Value::Null;
        }
        Value::Array(list) => list.iter_mut().for_each(forget_positions),
        Value::Object(fields) => {
            fields.remove("position");
            if let Some(acts) = fields.get_mut("acts").filter(|it| it.is_array()) {
                *acts = acts.as_array().map_or(0, Vec::len).into();
            }
            fields.values_mut().for_each(forget_positions);
        }
        _ => {}
    }
}
