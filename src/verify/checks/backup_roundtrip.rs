//! `backup.roundtrip`: the newest backup can be brought back.

use serde_json::json;

use crate::{
    backups::Backup,
    verify::{Check, Context, Outcome, Suite, backups},
};

pub(super) const CHECK: Check = Check {
    id: "backup.roundtrip",
    suite: Suite::Backup,
    requirements: &["PD-5.3", "PD-5.4", "BKUP-03", "BKUP-05"],
    expected: "the newest backup is what it was when it was made, and has been loaded beside the live data",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let of = backups::of_stack(context)?;
    let list = backups::list(context, of).await?;
    // Also one that is known to be bad: it is what an operator would reach for.
    let Some(newest) = list.backups.first() else {
        return Ok(Outcome::skip("there is none yet"));
    };
    let mut words = vec!["verify", "--format", "json"];
    // It is read whole each time; loading it once is enough, since it does not change.
    if newest.tested_at.is_none() {
        words.push("--load");
    }
    words.push(&newest.filename);
    let found: Backup = backups::ask(context, of, &words).await?;
    let name = &found.filename;
    Ok(match (&found.fault, found.tested_at) {
        (Some(fault), _) => Outcome::fail(format!("{name}: {fault}")),
        (None, None) => Outcome::fail(format!("{name} was read whole, and not loaded")),
        (None, Some(at)) => Outcome::pass(format!(
            "{name} was read whole, and loaded at {}",
            at.format("%Y-%m-%d %H:%M:%S UTC")
        )),
    }
    .with(json!({ "backup": found })))
}
