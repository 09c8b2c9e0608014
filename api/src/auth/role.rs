//! What someone may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The roles, strongest first. Each may do what those after it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub(crate) enum Role {
    /// Operates the site: accounts, backups, migrations.
    Administrator,
    /// Decides on entities and on the reviews of others.
    Curator,
    /// Reviews entities.
    Reviewer,
    /// Reads.
    Viewer,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [
        Self::Administrator,
        Self::Curator,
        Self::Reviewer,
        Self::Viewer,
    ];

    /// Its number in the table `roles`.
    pub(crate) fn id(self) -> u8 {
        match self {
            Self::Administrator => 1,
            Self::Curator => 2,
            Self::Reviewer => 3,
            Self::Viewer => 4,
        }
    }

    pub(crate) fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    /// Whether whoever has this role may do what the other one may.
    pub(crate) fn covers(self, other: Self) -> bool {
        self <= other
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{self, Administrator, Curator, Viewer};

    #[test]
    fn a_role_may_do_what_those_below_may() {
        assert!(Administrator.covers(Curator) && Curator.covers(Curator));
        assert!(!Viewer.covers(Curator));
        for role in Role::ALL {
            assert_eq!(Role::from_id(role.id()), Some(role));
        }
        assert_eq!(Role::from_id(0), None);
    }
}
