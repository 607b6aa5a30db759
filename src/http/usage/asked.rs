//! What every act on usage is asked with: a service's token, a feature, and perhaps a key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ledger_domain::event::{Metadata, Source, Subject};
use ledger_domain::id::{FeatureSlug, TrainerId};
use serde::Serialize;

use super::super::AppState;
use super::super::auth::Principal;
use super::super::idempotency::IdempotencyKey;
use super::super::params::{NoQuery, Params, Segment};
use super::super::problem::Problem;
use super::super::track::RequestId;
use crate::commands::usage::{Request, content_hash};
use crate::ids;
use crate::roles::Role;

/// Who asks for an act, on which feature, and under which key.
pub(crate) struct Asked {
    pub(super) principal: Principal,
    pub(super) feature: FeatureSlug,
    key: IdempotencyKey,
    request: Option<RequestId>,
}

impl FromRequestParts<AppState> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        principal.require(&[Role::Service])?;
        principal.actor()?;
        let Params(NoQuery {}) = Params::from_request_parts(parts, state).await?;
        let Segment(feature) = Segment::from_request_parts(parts, state).await?;
        let feature = feature_of(&feature)?;
        let request = parts.extensions.get().cloned();
        let key = IdempotencyKey::from_request_parts(parts, state).await?;
        Ok(Self { principal, feature, key, request })
    }
}

impl Asked {
    /// The request for an act. Under a key, its id is the same each time, and depends on who asks
    /// for what; without one, it is fresh.
    pub(super) fn request<T: Serialize>(
        &self,
        act: &'static str,
        trainer: TrainerId,
        content: &T,
    ) -> Request {
        let Principal { tenant, subject, .. } = &self.principal;
        let path = format!("/api/v1/usage/{}/{act}", self.feature);
        let id = match &self.key.0 {
            Some(key) => {
                let (tenant, trainer) = (tenant.as_str(), trainer.as_str());
                ids::derived(&[tenant, subject, "POST", &path, trainer, key])
            }
            None => ids::fresh(),
        };
        Request {
            tenant: tenant.clone(),
            trainer: trainer.clone(),
            feature: self.feature.clone(),
            id,
            content_hash: content_hash(content),
            metadata: Metadata {
                subject: Subject { trainer: Some(trainer), ..Subject::default() },
                ..self.principal.metadata(self.request.clone(), Source::Api)
            },
        }
    }
}

/// The feature that a path names.
pub(super) fn feature_of(segment: &str) -> Result<FeatureSlug, Problem> {
    FeatureSlug::try_new(segment)
        .map_err(|_| Problem::NotFound("The catalogue has no such feature."))
}
