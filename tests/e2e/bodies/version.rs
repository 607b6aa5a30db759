//! Stripe's API versions, as far as webhooks differ between them.

/// The versions in which the tests speak, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Of2017,
    Of2020,
    Of2023,
    Acacia,
    Basil,
    Clover,
    Dahlia,
    Endive,
}

impl Version {
    pub(crate) const ALL: [Self; 8] = [
        Self::Of2017,
        Self::Of2020,
        Self::Of2023,
        Self::Acacia,
        Self::Basil,
        Self::Clover,
        Self::Dahlia,
        Self::Endive,
    ];

    /// The text in an event's `api_version`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of2017 => "2017-08-15",
            Self::Of2020 => "2020-08-27",
            Self::Of2023 => "2023-10-16",
            Self::Acacia => "2025-02-24.acacia",
            Self::Basil => "2025-03-31.basil",
            Self::Clover => "2025-09-30.clover",
            Self::Dahlia => "2026-03-25.dahlia",
            Self::Endive => "2026-10-28.endive",
        }
    }

    /// Whether prices stand beside plans (since 2020-08-27 instead of them).
    pub(crate) fn has_prices(self) -> bool {
        self >= Self::Of2020
    }

    /// Whether periods stand in the items, and invoices have a parent.
    pub(crate) fn is_basil(self) -> bool {
        self >= Self::Basil
    }
}
