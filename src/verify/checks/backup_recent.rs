//! `backup.recent`: there is a backup, and it is not old.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::{
    backups::List,
    config::Backups,
    verify::{Check, Context, Outcome, Suite, backups},
};

pub(super) const CHECK: Check = Check {
    id: "backup.recent",
    suite: Suite::Backup,
    requirements: &["PD-5.3", "BKUP-01"],
    expected: "the newest backup that is whole holds tables and is not older than `[backups] max_age`, and none has a fault",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let of = backups::of_stack(context)?;
    let list = backups::list(context, of).await?;
    let replicas = &context.evidence.observed.replicas;
    let since = replicas
        .iter()
        .filter_map(|replica| replica.created_at)
        .min();
    Ok(outcome(&list, of, since, Utc::now()))
}

/// `since` is how long something of the stack has been there.
fn outcome(list: &List, of: &Backups, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Outcome {
    let max_age = TimeDelta::from_std(of.max_age).unwrap_or(TimeDelta::MAX);
    let hours = of.max_age.as_secs_f64() / 3600.0;
    let mut faults: Vec<String> = list
        .backups
        .iter()
        .filter_map(|backup| Some(format!("{}: {}", backup.filename, backup.fault.as_ref()?)))
        .collect();
    let Some(newest) = list.newest_whole() else {
        if faults.is_empty() && since.is_none_or(|since| now - since <= max_age) {
            return Outcome::skip(format!("there is none yet; one is due every {hours:.1} h"));
        }
        faults.push("there is no backup that is whole".to_owned());
        return Outcome::judge(&faults, "");
    };
    let age = now - newest.created_at;
    if age > max_age {
        faults.push(format!(
            "the newest, {}, is {:.1} h old; one is due every {hours:.1} h",
            newest.filename,
            in_hours(age)
        ));
    }
    if newest.table_count == Some(0) {
        faults.push(format!("{} holds no table", newest.filename));
    }
    Outcome::judge(
        &faults,
        format!(
            "{} backups, the newest {} is {:.1} h old",
            list.backups.len(),
            newest.filename,
            in_hours(age)
        ),
    )
    .with(json!({ "newest": newest, "count": list.backups.len() }))
}

fn in_hours(time: TimeDelta) -> f64 {
    time.as_seconds_f64() / 3600.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{backups::Backup, config::ServiceName, verify::Verdict};

    fn of() -> Backups {
        Backups {
            service: ServiceName::new("api"),
            command: vec!["keeper".to_owned()],
            dir: "/data".to_owned(),
            max_age: Duration::from_hours(26),
        }
    }

    fn backup(name: &str, hours: i64, now: DateTime<Utc>) -> Backup {
        Backup {
            filename: name.to_owned(),
            kind: "scheduled".to_owned(),
            size_bytes: 1,
            created_at: now - TimeDelta::hours(hours),
            table_count: Some(3),
            checksum: None,
            migration_head: None,
            tested_at: None,
            fault: None,
        }
    }

    fn judged(backups: Vec<Backup>, stack_hours: i64, now: DateTime<Utc>) -> (Verdict, String) {
        let since = now - TimeDelta::hours(stack_hours);
        let outcome = outcome(&List { backups }, &of(), Some(since), now);
        (outcome.verdict, outcome.observed)
    }

    #[test]
    fn none_is_a_fault_once_one_was_due() {
        let now = Utc::now();
        assert_eq!(judged(Vec::new(), 25, now).0, Verdict::Skip);
        let (verdict, observed) = judged(Vec::new(), 27, now);
        assert_eq!(
            (verdict, observed.as_str()),
            (Verdict::Fail, "there is no backup that is whole")
        );
    }

    #[test]
    fn age_faults_and_emptiness_are_told() {
        let now = Utc::now();
        assert_eq!(
            judged(vec![backup("young", 25, now)], 99, now).0,
            Verdict::Pass
        );
        let (verdict, observed) = judged(vec![backup("old", 27, now)], 99, now);
        assert_eq!(verdict, Verdict::Fail);
        assert!(
            observed.contains("the newest, old, is 27.0 h old"),
            "{observed}"
        );
        let mut empty = backup("empty", 1, now);
        empty.table_count = Some(0);
        let (_, observed) = judged(vec![empty], 99, now);
        assert_eq!(observed, "empty holds no table");
        // A young one that is broken does not hide that the last good one is old.
        let mut broken = backup("broken", 1, now);
        broken.fault = Some("it is cut off".to_owned());
        let (_, observed) = judged(vec![broken, backup("old", 27, now)], 99, now);
        assert!(
            observed.contains("broken: it is cut off; the newest, old"),
            "{observed}"
        );
    }
}
