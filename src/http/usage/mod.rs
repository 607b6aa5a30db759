//! `/api/v1/usage/...` and `GET /api/v1/tiers/usage`: counting, for services; meters, for trainers
//! too.

mod acts;
mod asked;
mod meters;
mod shapes;
mod verdict;

pub(crate) use acts::{check, commit, consume, record, release, reserve};
pub(crate) use meters::{limits, of_trainer};
