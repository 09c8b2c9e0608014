//! What a backup is called: `‹kind›_‹YYYY-MM-DD_HH-MM-SS›.sql.zst`, in UTC.
//!
//! The name is all that comes from outside, so nothing but such a name becomes a path.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

const TIME: &str = "%Y-%m-%d_%H-%M-%S";
const SUFFIX: &str = ".sql.zst";

/// Why a backup was made.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BackupKind)]
pub(crate) enum Kind {
    /// Somebody asked for it.
    Manual,
    /// The clock did.
    Scheduled,
    /// Before another one was restored.
    PreRestore,
    /// Before a release that may change the data.
    PreDeploy,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Manual,
        Self::Scheduled,
        Self::PreRestore,
        Self::PreDeploy,
    ];

    /// As in the name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::PreRestore => "pre-restore",
            Self::PreDeploy => "pre-deploy",
        }
    }
}

/// The name of a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BackupName {
    // Sorted by time first.
    created_at: DateTime<Utc>,
    kind: Kind,
}

impl BackupName {
    /// Of one that is made at this second.
    pub(crate) fn new(kind: Kind, created_at: DateTime<Utc>) -> Self {
        let second = DateTime::from_timestamp(created_at.timestamp(), 0);
        Self {
            created_at: second.unwrap_or(created_at),
            kind,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.created_at.format(TIME);
        write!(f, "{}_{time}{SUFFIX}", self.kind.name())
    }
}

/// It is no name of a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a backup; they are like manual_2026-11-20_20-01-02{SUFFIX}")]
pub(crate) struct NoBackupName;

impl FromStr for BackupName {
    type Err = NoBackupName;

    fn from_str(text: &str) -> Result<Self, NoBackupName> {
        let (kind, time) = text
            .strip_suffix(SUFFIX)
            .and_then(|stem| stem.split_once('_'))
            .ok_or(NoBackupName)?;
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or(NoBackupName)?;
        let time = NaiveDateTime::parse_from_str(time, TIME).map_err(|_| NoBackupName)?;
        let name = Self::new(kind, time.and_utc());
        // The parser is lenient: `2026-1-2` and ` 2026` are times to it.
        (name.to_string() == text)
            .then_some(name)
            .ok_or(NoBackupName)
    }
}

impl Serialize for BackupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackupName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_why_and_when_and_nothing_else_is_one() {
        for text in [
            "manual_2026-11-20_20-01-02.sql.zst",
            "pre-restore_2024-02-29_00-00-00.sql.zst",
            "pre-deploy_2026-12-31_23-59-59.sql.zst",
            "scheduled_2026-11-20_02-00-00.sql.zst",
        ] {
            let name: BackupName = text.parse().expect(text);
            assert_eq!(name.to_string(), text);
        }
        for text in [
            "",
            "manual_2026-11-20_20-01-02.sql.gz",
            "manual_2026-11-20_20-01-02.sql.zst.json",
            "manual_2026-1-2_20-01-02.sql.zst",
            "manual_ 2026-11-20_20-01-02.sql.zst",
            "manual_2026-02-30_20-01-02.sql.zst",
            "other_2026-11-20_20-01-02.sql.zst",
            "../manual_2026-11-20_20-01-02.sql.zst",
            "manual_2026-11-20_20-01-02.sql.zst/..",
            ".manual_2026-11-20_20-01-02.sql.zst",
        ] {
            assert_eq!(text.parse::<BackupName>(), Err(NoBackupName), "{text}");
        }
    }

    #[test]
    fn names_sort_by_time_whatever_their_kind() {
        let name = |text: &str| text.parse::<BackupName>().expect(text);
        assert!(
            name("scheduled_2026-11-20_20-01-02.sql.zst")
                < name("manual_2026-11-20_20-01-03.sql.zst")
        );
    }
}
