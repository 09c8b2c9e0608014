//! One round: a run is killed, the next command says what it found, and all ends as it should.

use std::fmt;

use anyhow::{Context as _, ensure};

use super::{
    picture,
    plan::{Kind, Next, Task},
    stage::{Answer, Stage},
};
use crate::drill::eventually::eventually;

/// Requests that must have been answered in every round.
const ANSWERED: usize = 50;

/// What happened in a round that went well.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// The run was killed before it ended by itself.
    pub(super) killed: bool,
    /// A run without an end was left.
    pub(super) cut_off: bool,
    /// Requests under all of this.
    pub(super) answered: usize,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let killed = match (self.killed, self.cut_off) {
            (false, _) => "ended before it was killed",
            (true, false) => "killed, left no run without an end",
            (true, true) => "killed, explained and dealt with",
        };
        write!(f, "{killed}, {} requests", self.answered)
    }
}

/// What the operator wants: the files as they are, and what is called for it.
struct Wanted {
    variant: String,
    command: &'static str,
    /// The variant that serves when it is done.
    serves: String,
}

pub(super) fn play(stage: &mut Stage<'_>, task: &Task, number: usize) -> anyhow::Result<Facts> {
    let began_with = stage.begin_round();
    let (now, before) = (stage.now.name.clone(), stage.before.name.clone());
    let new = stage.new_variant();
    let up = |variant: &str| Wanted {
        variant: variant.to_owned(),
        command: "up",
        serves: variant.to_owned(),
    };
    let rollback = |files: &str, serves: &str| Wanted {
        variant: files.to_owned(),
        command: "rollback",
        serves: serves.to_owned(),
    };
    let (first, same, other) = match task.kind {
        Kind::Up => (up(&new), up(&new), rollback(&new, &now)),
        Kind::Rollback => (rollback(&now, &before), rollback(&now, &before), up(&now)),
        // After a failure the same files are of no use: they are mended first.
        Kind::Broken => (up("broken"), up(&now), rollback("broken", &now)),
    };
    let killed = stage.call(&first.variant, &[first.command], Some(&task.when))?;
    let mut facts = Facts {
        killed: killed.code.is_none(),
        ..Facts::default()
    };
    if !facts.killed {
        let expected = if task.kind == Kind::Broken { 4 } else { 0 };
        killed.must_end_with(expected)?;
    }
    stage.nobody_noticed().context("while it was killed")?;
    let left = stage.json(&["releases"])?["interrupted"].clone();
    let left = left.as_str().map(str::to_owned);
    facts.cut_off = left.is_some();
    ensure!(
        facts.killed || left.is_none(),
        "a run that ended left {left:?}"
    );

    let serves = if left.is_some() || facts.killed && !recorded(stage, task.kind)? {
        let other_way = task.next == Next::Other && left.is_some();
        let wanted = if other_way { other } else { same };
        let look: &[&str] = match task.next {
            Next::StatusThenSame => &["status"],
            Next::PlanThenSame => &["plan"],
            Next::Same | Next::Other => &[],
        };
        if !look.is_empty() {
            let looked = stage.call(&wanted.variant, look, None)?.must_end_with(0)?;
            explains(&looked, left.as_deref(), first.command)?;
        }
        let dealt = stage
            .call(&wanted.variant, &[wanted.command], None)?
            .must_end_with(0)?;
        explains(&dealt, left.as_deref(), first.command)?;
        wanted.serves
    } else {
        // It had come to its end.
        match task.kind {
            Kind::Up | Kind::Rollback => first.serves,
            Kind::Broken => now.clone(),
        }
    };
    is_right(stage, &serves)
        .with_context(|| format!("round {}, {serves} should serve", number + 1))?;
    stage.stands(&serves)?;
    eventually(
        "the load goes on",
        std::time::Duration::from_mins(1),
        || Ok(stage.requests() >= began_with + ANSWERED),
    )?;
    stage.nobody_noticed()?;
    facts.answered = stage.requests() - began_with;
    Ok(facts)
}

/// Whether the killed run had made its release: then only its farewell is missing.
fn recorded(stage: &mut Stage<'_>, kind: Kind) -> anyhow::Result<bool> {
    if kind == Kind::Broken {
        return Ok(false);
    }
    let now = stage.now.release.clone();
    let releases = stage.json(&["releases"])?;
    let running = releases["releases"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|release| release["status"] == "running");
    Ok(running.is_some_and(|release| release["id"] != now.as_str()))
}

/// Which run, by whom, how far.
fn explains(answer: &Answer, left: Option<&str>, command: &str) -> anyhow::Result<()> {
    let said = answer.stderr.contains("was cut off");
    ensure!(
        said == left.is_some(),
        "`{}` {} that a run was cut off: {}",
        answer.command,
        if said { "says" } else { "does not say" },
        answer.stderr
    );
    if said {
        for part in [command, "operations done", "begun "] {
            ensure!(
                answer.stderr.contains(part),
                "`{}` does not say `{part}`: {}",
                answer.command,
                answer.stderr
            );
        }
    }
    Ok(())
}

/// The end is that of an undisturbed run, for the engine and for the program.
fn is_right(stage: &mut Stage<'_>, serves: &str) -> anyhow::Result<()> {
    let found = picture::of(stage)?;
    stage.expected()?.must_be(&found)?;
    ensure!(
        stage.json(&["lock", "status"])?["held"] == false,
        "the lock is held"
    );
    let releases = stage.json(&["releases"])?;
    ensure!(
        releases["interrupted"].is_null(),
        "{} is still told of",
        releases["interrupted"]
    );
    ensure!(
        releases["damaged"].as_array().is_some_and(Vec::is_empty),
        "records are damaged: {}",
        releases["damaged"]
    );
    let status = stage.json(&["status"])?;
    let running = releases["releases"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|release| release["status"] == "running");
    let running = running.context("no release is said to run")?;
    ensure!(
        running["id"] == status["release"],
        "the record says that {} runs, the containers are of {}",
        running["id"],
        status["release"]
    );
    let plan = stage.call(serves, &["plan", "--exit-code"], None)?;
    ensure!(
        plan.code == Some(0),
        "something is left to do: {}{}",
        plan.stdout,
        plan.stderr
    );
    Ok(())
}
