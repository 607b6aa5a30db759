//! Query parameters: known ones only.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query of a request. `T` denies unknown fields, so that a misspelt one doesn't go unnoticed.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::InvalidRequest(rejection.body_text())),
        }
    }
}

/// What a question about one trainer takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AboutTrainer {
    /// Who, if a service asks.
    pub(crate) trainer: Option<String>,
    /// The position that the answer must not be older than.
    pub(crate) min_position: Option<i64>,
}

/// What a question about a tenant takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AboutTenant {
    /// The position that the answer must not be older than.
    pub(crate) min_position: Option<i64>,
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
        assert_eq!((query.trainer.as_deref(), query.min_position), (Some("t1"), Some(7)));
        for wrong in ["trianer=t1", "min_position=x", "trainer=a&trainer=b"] {
            let refused = parse::<AboutTrainer>(wrong).await;
            assert!(matches!(refused, Err(Problem::InvalidRequest(_))), "{wrong}: {refused:?}");
        }
    }

    #[test]
    fn a_page_has_a_limit() {
        assert_eq!(limit(None).unwrap(), LIMIT_DEFAULT);
        assert!(limit(Some(0)).is_err() && limit(Some(LIMIT_MAX + 1)).is_err());
    }
}
