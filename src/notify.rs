//! Telling others how a deployment ended: one POST of a JSON document. Nothing depends on whether
//! it arrives, and the address is never shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sysndd_protocol::ReleaseId;

use crate::{
    config::{Notify, ProjectName},
    release::{Outcome, Who, Why},
};

/// The shape of the document.
const SCHEMA: &str = "sysndd-deploy/notice/1";

/// What is told.
#[derive(Debug, Serialize)]
pub(crate) struct Notice<'a> {
    pub(crate) schema: &'static str,
    pub(crate) project: &'a ProjectName,
    /// `deploy` or `rollback`.
    pub(crate) event: &'static str,
    pub(crate) outcome: &'static str,
    /// The release that serves when it went well; else the one that was to.
    pub(crate) release: Option<&'a ReleaseId>,
    /// Of a rollback: the release whose images and configuration come back.
    pub(crate) back_to: Option<&'a ReleaseId>,
    pub(crate) command: &'a str,
    pub(crate) message: Option<&'a str>,
    pub(crate) by: Who,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) duration_ms: i64,
    /// Why it did not go well.
    pub(crate) reason: Option<&'a str>,
    /// The same in a line for people, as chat servers show it.
    pub(crate) text: String,
}

/// What a notice is made of.
pub(crate) struct Ended<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) why: &'a Why,
    pub(crate) outcome: &'a Outcome,
    pub(crate) release: Option<&'a ReleaseId>,
    pub(crate) command: &'a str,
    pub(crate) message: Option<&'a str>,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) reason: Option<&'a str>,
}

impl<'a> Notice<'a> {
    /// What is told of a deployment that ended now.
    pub(crate) fn of(ended: &Ended<'a>) -> Self {
        let (event, back_to) = match ended.why {
            Why::Rollback { to } => ("rollback", Some(to)),
            Why::Deploy | Why::Adopted => ("deploy", None),
        };
        let outcome = match ended.outcome {
            Outcome::Done | Outcome::FinishedBy(_) => "done",
            Outcome::Undone | Outcome::UndoneBy(_) => "undone",
            Outcome::Failed | Outcome::Refused => "failed",
            Outcome::Interrupted => "interrupted",
        };
        let by = Who::of_process();
        let mut text = format!("{}: {event} {outcome}", ended.project);
        if let Some(release) = ended.release {
            text.push_str(&format!(", {release}"));
        }
        text.push_str(&format!(", by {by}"));
        for more in [ended.message, ended.reason].into_iter().flatten() {
            text.push_str(&format!(": {more}"));
        }
        Self {
            schema: SCHEMA,
            project: ended.project,
            event,
            outcome,
            release: ended.release,
            back_to,
            command: ended.command,
            message: ended.message,
            by,
            began_at: ended.began_at,
            duration_ms: (Utc::now() - ended.began_at).num_milliseconds(),
            reason: ended.reason,
            text,
        }
    }
}

/// Posts a notice.
///
/// # Errors
/// Why it did not arrive, without the address.
pub(crate) async fn post(notify: &Notify, notice: &Notice<'_>) -> Result<(), String> {
    let without_address = |error: reqwest::Error| {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    };
    let client = reqwest::Client::builder()
        .timeout(notify.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(without_address)?;
    let answer = client
        .post(notify.webhook.expose())
        .json(notice)
        .send()
        .await
        .map_err(without_address)?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("it answered {}", answer.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_ended_how_and_why() {
        let project = ProjectName::new("demo");
        let (release, to) = (ReleaseId::new("r2"), ReleaseId::new("r1"));
        let why = Why::Rollback { to };
        let notice = Notice::of(&Ended {
            project: &project,
            why: &why,
            outcome: &Outcome::Undone,
            release: Some(&release),
            command: "rollback",
            message: None,
            began_at: Utc::now(),
            reason: Some("it was never ready"),
        });
        assert_eq!((notice.event, notice.outcome), ("rollback", "undone"));
        assert_eq!(notice.back_to.map(ReleaseId::as_str), Some("r1"));
        assert!(notice.text.starts_with("demo: rollback undone, r2, by "));
        assert!(notice.text.ends_with(": it was never ready"));
    }
}
