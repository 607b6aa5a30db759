//! `/api/v1/usage/...` and `GET /api/v1/tiers/usage`: counting, for services; meters, for trainers
//! too.

pub(super) mod acts;
mod asked;
pub(super) mod meters;
mod shapes;
mod verdict;
