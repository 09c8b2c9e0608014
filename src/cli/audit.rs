//! `audit`: who did what to which release, with which result.

use serde::Serialize;

use super::{
    Global,
    releases::{damage, time},
    session::Session,
};
use crate::{
    config::ProjectName,
    error::Error,
    exit::Exit,
    output::{Printer, Table},
    release::{self, AuditRecord},
};

/// Show who did what to which release, with which result.
///
/// Records are only ever added, and are kept with the engine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Audit {
    /// Only the last so many
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy audit
  sysndd-deploy audit --last 10 --format json";

/// The answer of `audit --format json`.
#[derive(Debug, Serialize)]
struct List<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    /// The oldest first.
    records: &'a [AuditRecord],
}

impl Audit {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        let state = release::read_state(&session.engine, &session.stack).await?;
        let skipped = self
            .last
            .map_or(0, |last| state.audit.len().saturating_sub(last));
        let list = List {
            schema: "sysndd-deploy/audit-list/1",
            project: &session.stack.project,
            records: &state.audit[skipped..],
        };
        printer.data(&list, || list.human());
        damage(printer, &state);
        Ok(Exit::Done)
    }
}

impl List<'_> {
    fn human(&self) -> String {
        if self.records.is_empty() {
            return format!("nothing was recorded of {}\n", self.project);
        }
        let mut table = Table::new(&["AT", "BY", "COMMAND", "RELEASE", "RESULT", "REASON"]);
        for record in self.records {
            let reason = record.reason.as_deref().unwrap_or_default();
            table.row([
                time(record.at),
                record.by.to_string(),
                record.command.clone(),
                record
                    .release
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                record.result.word().to_owned(),
                reason.lines().next().unwrap_or_default().to_owned(),
            ]);
        }
        table.render()
    }
}
