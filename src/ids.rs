//! The one source of ids: fresh ones, and ones derived from what they stand for.

use uuid::Uuid;

/// The root of every derived id: drawn once, and never to change.
const ROOT: Uuid = Uuid::from_u128(0x8c6f_6a1d_51a7_5c0e_9f0b_2f0d_3f5f_7a11);

/// An id that nobody has had, sorted by time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the id source that others call")]
pub(crate) fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// The id of what these parts together name: the same parts always give the same id.
#[must_use]
pub(crate) fn derived(parts: &[&str]) -> Uuid {
    // The lengths keep ("ab", "c") and ("a", "bc") apart.
    let mut name = Vec::new();
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&ROOT, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_depend_on_every_part_and_its_bounds() {
        assert_eq!(derived(&["a", "b"]), derived(&["a", "b"]));
        assert_ne!(derived(&["ab", "c"]), derived(&["a", "bc"]));
        assert_ne!(fresh(), fresh());
    }
}
