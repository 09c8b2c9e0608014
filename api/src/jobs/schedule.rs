//! What is due by the clock.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use croner::Cron;

use super::handler::Handler as _;
use super::purge::Purge;
use crate::{accounts, backups, config};

/// A kind of job without a payload, and when it is due.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) kind: &'static str,
    /// Minute, hour, day of the month, month, day of the week; UTC.
    pub(super) cron: String,
}

/// All that is due by the clock.
pub(super) fn schedule(backups: &config::Backups) -> Vec<Entry> {
    let entry = |kind, cron: &str| Entry {
        kind,
        cron: cron.to_owned(),
    };
    let mut entries = vec![
        entry(Purge::KIND, "23 3 * * *"),
        entry(accounts::Purge::KIND, "53 3 * * *"),
        entry(backups::Mirror::KIND, "7,22,37,52 * * * *"),
    ];
    let own = [
        (backups::Scheduled::KIND, &backups.schedule),
        (backups::Test::KIND, &backups.test_schedule),
    ];
    entries.extend(
        own.into_iter()
            .filter_map(|(kind, cron)| cron.as_deref().map(|cron| entry(kind, cron))),
    );
    entries
}

impl Entry {
    /// When it was last due.
    pub(super) fn last_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Cron::from_str(&self.cron)
            .and_then(|cron| cron.find_previous_occurrence(&now, true))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_read_and_has_five_fields() {
        let mut source = config::Source::new([]);
        let backups = config::Backups::read(&mut source, std::path::Path::new("/data"), None);
        let entries = schedule(&backups);
        assert_eq!(entries.len(), 5);
        for entry in entries {
            assert_eq!(entry.cron.split(' ').count(), 5, "{entry:?}");
            assert!(entry.last_due(Utc::now()).is_some(), "{entry:?}");
        }
    }

    #[test]
    fn what_is_due_now_is_due() {
        let entry = Entry {
            kind: "test",
            cron: "23 3 * * *".into(),
        };
        let due = |now: &str| {
            let now = now.parse().expect("a time");
            entry.last_due(now).expect("a time").to_rfc3339()
        };
        assert_eq!(due("2026-11-21T03:23:00Z"), "2026-11-21T03:23:00+00:00");
        assert_eq!(due("2026-11-21T03:22:59Z"), "2026-11-20T03:23:00+00:00");
    }
}
