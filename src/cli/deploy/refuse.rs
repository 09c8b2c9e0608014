//! What a deployment does not do without being told: lose data, start what cannot write, or go by what
//! is not so any more.

use crate::{
    cli::session::Session,
    config::ServiceName,
    error::Error,
    exit::Exit,
    observe::{Directory, Observed},
    plan::{self, Plan},
    release::{LastRun, State},
};

/// A release is chosen, and the schema looked at, before it is our turn: another command may have been
/// there in between.
pub(super) fn refuse_another_choice(seen: Option<&LastRun>, state: &State) -> Result<(), Error> {
    let last = state.last_run();
    if last.as_ref() == seen {
        return Ok(());
    }
    let other = last.and_then(|last| state.runs[&last.id].begin());
    let other = other.map_or("another command".to_owned(), |begin| {
        format!("`{}` of {}", begin.command, begin.by)
    });
    Err(Error::new(
        Exit::LockHeld,
        format!("{other} came between: what this one was to go by is not so any more, and nothing was touched"),
    )
    .with_hint("look at `sysndd-deploy releases`, and say it again if it is still meant"))
}

/// A database is never recreated in passing.
pub(super) fn refuse_lost_data(plan: &Plan) -> Result<(), Error> {
    if plan.refused.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = plan.refused.iter().map(ServiceName::as_str).collect();
    let flags: Vec<String> = names
        .iter()
        .map(|name| format!("--allow-recreate {name}"))
        .collect();
    Err(Error::usage(format!(
        "{} would be recreated: it keeps data in a volume of its own, and is away until its new replica is ready",
        names.join(", ")
    ))
    .with_hint(format!(
        "`sysndd-deploy plan` shows what would be done; `sysndd-deploy up {}` does it (the volume stays)",
        flags.join(" ")
    )))
}

/// The classic of a scaled deployment: a directory that the container's user cannot write to.
pub(super) fn refuse_unwritable_mounts(
    session: &Session,
    observed: &Observed,
) -> Result<(), Error> {
    let faults = plan::mount_faults(&session.stack, observed, false);
    if faults.is_empty() {
        return Ok(());
    }
    let (mut text, mut commands) = (Vec::new(), Vec::new());
    for fault in faults {
        let path = fault.path.display();
        let (uid, gid) = (fault.user.uid, fault.user.gid);
        match fault.directory {
            Directory::Missing => {
                text.push(format!("{}: {path} does not exist", fault.service));
                commands.push(format!("sudo install -d -o {uid} -g {gid} {path}"));
            }
            Directory::Present { owner, mode } => {
                text.push(format!(
                    "{} runs as {uid}:{gid} and cannot write to {path}, which is {}:{} with mode {:04o}",
                    fault.service, owner.uid, owner.gid, mode & 0o7777,
                ));
                commands.push(format!("sudo chown {uid}:{gid} {path}"));
            }
        }
    }
    let hint = format!(
        "{}; or say `chown = true` at the mount",
        commands.join(" && ")
    );
    Err(Error::usage(text.join("\n")).with_hint(hint))
}
