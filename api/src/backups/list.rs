//! A page of the list of backups. Pure.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Backup;

/// In which order; `-` is downwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = BackupSort)]
pub(crate) enum Sort {
    #[serde(rename = "created_at")]
    Oldest,
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    #[serde(rename = "size_bytes")]
    Smallest,
    #[serde(rename = "-size_bytes")]
    Largest,
    #[serde(rename = "kind")]
    Kind,
    #[serde(rename = "-kind")]
    KindDown,
    #[serde(rename = "filename")]
    Filename,
    #[serde(rename = "-filename")]
    FilenameDown,
}

/// One page of backups.
#[expect(clippy::struct_field_names, reason = "the API's names")]
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BackupPage)]
pub(crate) struct Page {
    backups: Vec<Backup>,
    /// This page, from 1
    page: u32,
    page_size: u32,
    /// How many backups there are on all pages
    total: usize,
    /// How much room all of them take
    total_bytes: u64,
}

impl Sort {
    /// Equal ones stand newest first, so that pages do not overlap.
    fn compare(self, a: &Backup, b: &Backup) -> Ordering {
        let first = match self {
            Self::Oldest => return a.filename.cmp(&b.filename),
            Self::Newest => Ordering::Equal,
            Self::Smallest => a.size_bytes.cmp(&b.size_bytes),
            Self::Largest => b.size_bytes.cmp(&a.size_bytes),
            Self::Kind => a.kind.name().cmp(b.kind.name()),
            Self::KindDown => b.kind.name().cmp(a.kind.name()),
            Self::Filename => a.filename.to_string().cmp(&b.filename.to_string()),
            Self::FilenameDown => b.filename.to_string().cmp(&a.filename.to_string()),
        };
        first.then_with(|| b.filename.cmp(&a.filename))
    }
}

impl Page {
    pub(super) fn backups(&self) -> &[Backup] {
        &self.backups
    }

    /// Cuts one out. A page behind the last one is empty.
    pub(crate) fn of(mut backups: Vec<Backup>, sort: Sort, page: u32, page_size: u32) -> Self {
        backups.sort_by(|a, b| sort.compare(a, b));
        let (total, total_bytes) = (
            backups.len(),
            backups.iter().map(|backup| backup.size_bytes).sum(),
        );
        let skipped = (page as usize - 1).saturating_mul(page_size as usize);
        Self {
            backups: backups
                .into_iter()
                .skip(skipped)
                .take(page_size as usize)
                .collect(),
            page,
            page_size,
            total,
            total_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::BackupName;

    fn backup(name: &str, size_bytes: u64) -> Backup {
        let filename: BackupName = name.parse().expect(name);
        Backup {
            kind: filename.kind(),
            created_at: filename.created_at(),
            filename,
            size_bytes,
            table_count: None,
            checksum: None,
            migration_head: None,
            release: None,
            tested_at: None,
            fault: None,
        }
    }

    fn order(sort: Sort, page: u32, page_size: u32) -> Vec<u64> {
        let backups = vec![
            backup("manual_2026-11-20_00-00-02.sql.zst", 1),
            backup("scheduled_2026-11-20_00-00-01.sql.zst", 3),
            backup("manual_2026-11-20_00-00-03.sql.zst", 2),
            backup("pre-deploy_2026-11-20_00-00-04.sql.zst", 2),
        ];
        let page = Page::of(backups, sort, page, page_size);
        assert_eq!((page.total, page.total_bytes), (4, 8));
        page.backups
            .iter()
            .map(|backup| u64::try_from(backup.created_at.timestamp() % 10).expect("small"))
            .collect()
    }

    #[test]
    fn pages_are_cut_from_the_whole_sorted_list() {
        assert_eq!(order(Sort::Newest, 1, 10), [4, 3, 2, 1]);
        assert_eq!(order(Sort::Newest, 2, 3), [1]);
        assert_eq!(order(Sort::Oldest, 1, 2), [1, 2]);
        assert_eq!(order(Sort::Largest, 1, 10), [1, 4, 3, 2]);
        assert_eq!(order(Sort::Smallest, 1, 10), [2, 4, 3, 1]);
        assert_eq!(order(Sort::Kind, 1, 10), [3, 2, 4, 1]);
        assert_eq!(order(Sort::FilenameDown, 1, 1), [1]);
        assert!(order(Sort::Newest, 3, 3).is_empty());
        assert!(order(Sort::Newest, u32::MAX, 100).is_empty());
    }
}
