//! What paths and queries say: query parameters that are known, and nothing that is no text.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use ledger_domain::time::Timestamp;
use ledger_replay::Moment;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::openapi::schema;
use super::problem::Problem;

/// The query of a request. `T` denies unknown fields, so that a misspelt one doesn't go unnoticed.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::InvalidRequest(in_words(rejection.body_text()))),
        }
    }
}

/// The standard library says of a number what is wrong with it, and not what is expected.
fn in_words(told: String) -> String {
    let wrong = ["", "x", "99999999999999999999", "-99999999999999999999"];
    let reasons = wrong.into_iter().filter_map(|text| text.parse::<i64>().err());
    let told_by = reasons.map(|reason| reason.to_string()).find(|reason| told.ends_with(reason));
    match told_by.as_deref().and_then(|reason| told.strip_suffix(reason)) {
        Some(place) => format!("{place}a whole number like 50 is expected"),
        None => told,
    }
}

/// The only part of a path that isn't always the same.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(Problem::InvalidRequest("The path is not UTF-8.".into())),
        }
    }
}

/// The two parts of a path that vary.
pub(crate) struct Segments(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second))) => Ok(Self(first, second)),
            Err(_) => Err(Problem::InvalidRequest("The path is not UTF-8.".into())),
        }
    }
}

/// The query of a request that takes none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

/// A place in a log, as a parameter: they begin with 1, and 0 is before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) i64);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer) {
            Ok(position) if position >= 0 => Ok(Self(position)),
            _ => Err(D::Error::custom("a position is a whole number, 0 or more")),
        }
    }
}

/// What a question about one trainer takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AboutTrainer {
    /// Who, if a service asks.
    #[param(value_type = Option<schema::TrainerId>)]
    pub(crate) trainer: Option<String>,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
}

/// What a question about one trainer takes that may be about the past.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AboutThen {
    /// Who, if somebody else asks.
    #[param(value_type = Option<schema::TrainerId>)]
    pub(crate) trainer: Option<String>,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
    /// The instant asked about: what happened later doesn't count.
    #[param(value_type = Option<schema::Timestamp>)]
    as_of: Option<Timestamp>,
    /// What the log accepted later doesn't count.
    #[param(value_type = Option<schema::Timestamp>)]
    known_at: Option<Timestamp>,
}

impl AboutThen {
    /// The moment asked about; none = now. Who only says when it was known asks what the ledger
    /// answered then.
    pub(crate) fn moment(&self, now: Timestamp) -> Result<Option<Moment>, Problem> {
        let Some(as_of) = self.as_of.or(self.known_at) else { return Ok(None) };
        for (name, at) in [("as_of", self.as_of), ("known_at", self.known_at)] {
            if at.is_some_and(|at| at > now) {
                return Err(Problem::Unprocessable(format!(
                    "`{name}` lies ahead: nobody knows what will have happened by then."
                )));
            }
        }
        if self.known_at.is_some() && self.min_position.is_some() {
            return Err(Problem::InvalidRequest(
                "`min_position` asks for what is known now, and `known_at` for what was.".into(),
            ));
        }
        Ok(Some(Moment::past(as_of, self.known_at)))
    }
}

/// What a question about a tenant takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AboutTenant {
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(crate) min_position: Option<Position>,
}

/// How many entries a list has, unless the request says.
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// How many entries a list has at most.
pub(crate) const LIMIT_MAX: usize = 500;

/// The length of a page that was asked for.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::InvalidRequest(format!("`limit` is from 1 to {LIMIT_MAX}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
        let uri = format!("/x?{query}");
        let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Params::<T>::from_request_parts(&mut parts, &()).await.map(|params| params.0)
    }

    #[tokio::test]
    async fn a_misspelt_parameter_is_refused() {
        let query: AboutTrainer = parse("trainer=t1&min_position=7").await.unwrap();
        assert_eq!((query.trainer.as_deref(), query.min_position), (Some("t1"), Some(Position(7))));
        for wrong in [
            "trianer=t1",
            "min_position=x",
            "min_position=-1",
            "min_position=9e9",
            "trainer=a&trainer=b",
        ] {
            let refused = parse::<AboutTrainer>(wrong).await;
            assert!(matches!(refused, Err(Problem::InvalidRequest(_))), "{wrong}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn the_past_is_asked_about_by_one_instant_or_two() {
        let (early, late) = ("2026-11-01T00:00:00Z", "2026-11-05T00:00:00Z");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-05T00:00:00Z");
        for (query, moment) in [
            (String::new(), None),
            (format!("as_of={early}"), Some(Moment::past(at(early), None))),
            (format!("known_at={early}"), Some(Moment::past(at(early), Some(at(early))))),
            (format!("as_of={early}&known_at={late}"), Some(Moment::past(at(early), Some(now)))),
            (format!("as_of={late}&known_at={early}"), Some(Moment::past(now, Some(at(early))))),
        ] {
            let asked: AboutThen = parse(&query).await.unwrap();
            assert_eq!(asked.moment(now).unwrap(), moment, "{query}");
        }
        for query in ["as_of=2026-11-05T00:00:00.000001Z", "known_at=2027-01-01T00:00:00Z"] {
            let asked: AboutThen = parse(query).await.unwrap();
            assert!(matches!(asked.moment(now), Err(Problem::Unprocessable(_))), "{query}");
        }
        let both: AboutThen = parse(&format!("known_at={early}&min_position=1")).await.unwrap();
        assert!(matches!(both.moment(now), Err(Problem::InvalidRequest(_))));
        for query in
            ["as_of=yesterday", "as_of=2026-11-01", "known_at=", "as_of=2026-11-01T00:00:00+05:00"]
        {
            let Err(Problem::InvalidRequest(told)) = parse::<AboutThen>(query).await else {
                panic!("{query} is refused")
            };
            let (name, _) = query.split_once('=').unwrap();
            for part in [name, "2026-11-20T09:00:00Z", "%2B"] {
                assert!(told.contains(part), "{part} in {told}");
            }
        }
        assert!(parse::<AboutThen>("as_off=x").await.is_err());
    }

    #[tokio::test]
    async fn a_wrong_number_is_answered_with_what_is_expected() {
        #[derive(Debug, Deserialize)]
        struct Page {
            #[expect(dead_code, reason = "it is never read")]
            limit: Option<usize>,
        }
        for wrong in ["", "x7", "-1", "1.5", "99999999999999999999"] {
            let Err(Problem::InvalidRequest(told)) = parse::<Page>(&format!("limit={wrong}")).await
            else {
                panic!("{wrong} is refused")
            };
            assert!(told.contains("limit") && told.contains("a whole number like 50"), "{told}");
            assert!(wrong.is_empty() || !told.contains(wrong), "{told}");
        }
    }

    #[test]
    fn a_page_has_a_limit() {
        assert_eq!(limit(None).unwrap(), LIMIT_DEFAULT);
        assert!(limit(Some(0)).is_err() && limit(Some(LIMIT_MAX + 1)).is_err());
    }
}
