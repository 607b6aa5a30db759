//! What people and programs may be to the ledger.

use std::fmt;

/// A role that a token can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// The customer: sees and changes its own plan.
    Trainer,
    /// An application of the tenant: asks about any trainer and counts usage.
    Service,
    /// Support and billing staff.
    Admin,
    /// Runs the ledger.
    Operator,
    /// Reads the log.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Trainer, Self::Service, Self::Admin, Self::Operator, Self::Auditor];

    /// The role's name in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Service => "service",
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u8);

impl Roles {
    /// The roles with these names; others mean nothing here.
    pub(crate) fn from_names<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let bits = names.flat_map(|name| Role::ALL.into_iter().filter(move |r| r.as_str() == name));
        Self(bits.fold(0, |set, role| set | 1 << role as u8))
    }

    /// The roles' names.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        Role::ALL.into_iter().filter(move |role| self.has(*role)).map(Role::as_str)
    }

    /// The same without one of them.
    pub(crate) const fn without(self, role: Role) -> Self {
        Self(self.0 & !(1 << role as u8))
    }

    pub(crate) const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_give_no_role() {
        let roles = Roles::from_names(["service", "root", "auditor"].into_iter());
        assert!(roles.has(Role::Service) && roles.has(Role::Auditor));
        assert!(!roles.has(Role::Admin) && !roles.has(Role::Trainer));
    }
}
