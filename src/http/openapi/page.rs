//! `/docs`: Swagger UI, from files that are part of the binary.

use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::DOCUMENT;

/// The page needs its own scripts and styles, and nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'",
);

/// The pages that show the document.
pub(crate) fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let config = Config::from(DOCUMENT).validator_url("none").try_it_out_enabled(false);
    let pages: Router<S> = SwaggerUi::new("/docs").config(config).into();
    pages.layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, POLICY))
}
