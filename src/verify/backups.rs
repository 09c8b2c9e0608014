//! The application's backups, asked of a replica that runs.

use serde::de::DeserializeOwned;

use super::{Context, Outcome};
use crate::{backups, config};

/// `[backups]`, or what a check says that needs it.
pub(super) fn of_stack<'a>(context: &'a Context<'_>) -> Result<&'a config::Backups, Outcome> {
    let backups = context.stack.backups.as_ref();
    backups.ok_or_else(|| Outcome::skip("the stack has no [backups]"))
}

/// All backups.
pub(super) async fn list(
    context: &Context<'_>,
    of: &config::Backups,
) -> Result<backups::List, Outcome> {
    ask(context, of, &["list", "--format", "json"]).await
}

/// Runs the program with these words, in any replica; what it cannot do is a failure.
pub(super) async fn ask<T: DeserializeOwned>(
    context: &Context<'_>,
    of: &config::Backups,
    words: &[&str],
) -> Result<T, Outcome> {
    let mut replicas = context.evidence.observed.replicas_of(&of.service);
    let replica = replicas.find(|replica| replica.is_running());
    let replica = replica.ok_or_else(|| Outcome::fail(format!("{} does not run", of.service)))?;
    let program = of.command.iter().map(String::as_str);
    let command: Vec<&str> = program.chain(words.iter().copied()).collect();
    let what = command.join(" ");
    let output = context.exec(replica, &command).await;
    let output = output.map_err(|error| Outcome::fail(error.to_string()))?;
    if !output.success() {
        let said = output.text();
        let last = said.lines().last().unwrap_or_default();
        return Err(Outcome::fail(format!(
            "`{what}` in {} ends with exit code {}: {last}",
            replica.name, output.exit_code
        )));
    }
    backups::answer(&output.stdout)
        .map_err(|cause| Outcome::fail(format!("`{what}` in {} {cause}", replica.name)))
}
