//! Pages of lists.

use serde_json::{Map, Value};

use super::failure::{Failure, bad_request};

const LIMIT: usize = 10;
const LIMIT_MAX: usize = 100;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    limit: usize,
    cursor: Option<Cursor>,
    /// Whether it was asked for at all.
    pub(crate) is_given: bool,
}

/// Where the page begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cursor {
    StartingAfter(String),
    EndingBefore(String),
}

/// Where a cursor stands in a list: how many are newer, and where the older ones begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) newer: usize,
    pub(crate) older_from: usize,
}

impl Paging {
    /// Takes a page's parameters out of a request's.
    pub(crate) fn take(params: &mut Map<String, Value>) -> Result<Self, Failure> {
        let mut text = |name: &str| match params.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad_request(None, Some(name), format!("Invalid string for {name}"))),
        };
        let limit = text("limit")?;
        let (after, before) = (text("starting_after")?, text("ending_before")?);
        let is_given = limit.is_some() || after.is_some() || before.is_some();
        let limit = limit.map_or(Ok(LIMIT), |limit| {
            let number = limit.parse().ok().filter(|number| (1..=LIMIT_MAX).contains(number));
            number.ok_or_else(|| {
                let message = format!("Invalid integer: {limit}; limits are 1 to {LIMIT_MAX}");
                bad_request(Some("parameter_invalid_integer"), Some("limit"), message)
            })
        })?;
        let cursor = match (after, before) {
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: ending_before, \
                    starting_after.";
                return Err(bad_request(None, None, message.to_owned()));
            }
            (Some(id), None) => Some(Cursor::StartingAfter(id)),
            (None, Some(id)) => Some(Cursor::EndingBefore(id)),
            (None, None) => None,
        };
        Ok(Self { limit, cursor, is_given })
    }

    /// Cuts the page out of a list that begins with the newest, and tells whether there's more in
    /// the direction in which one pages.
    pub(crate) fn cut<T>(
        &self,
        mut all: Vec<T>,
        place: impl Fn(&[T], &str) -> Option<Place>,
    ) -> Result<(Vec<T>, bool), Failure> {
        let find = |id: &str, param: &str| {
            let no_such = || super::missing(400, "object", id, param);
            place(&all, id).ok_or_else(no_such)
        };
        match &self.cursor {
            None => {}
            Some(Cursor::StartingAfter(id)) => {
                let from = find(id, "starting_after")?.older_from;
                all.drain(..from.min(all.len()));
            }
            Some(Cursor::EndingBefore(id)) => {
                let newer = find(id, "ending_before")?.newer;
                all.truncate(newer);
                let surplus = all.len().saturating_sub(self.limit);
                all.drain(..surplus);
                return Ok((all, surplus > 0));
            }
        }
        let has_more = all.len() > self.limit;
        all.truncate(self.limit);
        Ok((all, has_more))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Pages through 9 to 1.
    fn page(params: &Value) -> Result<(Vec<u32>, bool), Failure> {
        let mut params = params.as_object().unwrap().clone();
        let paging = Paging::take(&mut params)?;
        assert!(params.is_empty());
        paging.cut((1..=9).rev().collect(), |all, id| {
            let at = all.iter().position(|each| each.to_string() == id)?;
            Some(Place { newer: at, older_from: at + 1 })
        })
    }

    #[test]
    fn pages_are_cut_on_both_sides_of_a_cursor() {
        assert_eq!(page(&json!({"limit": "2"})), Ok((vec![9, 8], true)));
        assert_eq!(page(&json!({"limit": "9"})), Ok(((1..=9).rev().collect(), false)));
        let after = |limit, id| page(&json!({"limit": limit, "starting_after": id}));
        assert_eq!(after("2", "8"), Ok((vec![7, 6], true)));
        assert_eq!(after("2", "3"), Ok((vec![2, 1], false)));
        assert_eq!(after("2", "1"), Ok((vec![], false)));
        let before = |limit, id| page(&json!({"limit": limit, "ending_before": id}));
        assert_eq!(before("2", "3"), Ok((vec![5, 4], true)));
        assert_eq!(before("2", "7"), Ok((vec![9, 8], false)));
        assert_eq!(before("5", "9"), Ok((vec![], false)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for params in [
            json!({"limit": "0"}),
            json!({"limit": "101"}),
            json!({"limit": "x"}),
            json!({"limit": ["1"]}),
            json!({"starting_after": "77"}),
            json!({"starting_after": "1", "ending_before": "2"}),
        ] {
            assert_eq!(page(&params).unwrap_err().status(), 400, "{params}");
        }
    }
}
