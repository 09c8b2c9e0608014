//! `releases`: what was deployed, what runs, and how two of them differ. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use console::Style;
use futures::future;
use serde::Serialize;
use sysndd_protocol::ReleaseId;

use super::{Global, cut_off, session::Session};
use crate::{
    config::{ProjectName, ServiceName},
    docker::{Engine, labels},
    error::Error,
    execute::JobReport,
    exit::Exit,
    output::{Printer, Table},
    plan::Change,
    release::{self, Damaged, Entry, Manifest, Revision, State, Status, Verdict, Who, Why},
};

/// List releases; show one; compare two.
///
/// The record is kept with the engine: every machine that reaches it sees the same.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(super) struct Releases {
    #[command(subcommand)]
    command: Option<Subcommands>,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy releases                                all, the newest first
  sysndd-deploy releases show r20261120-1015            one; the beginning of its name is enough
  sysndd-deploy releases diff r20261119 r20261120       what changed between two
  sysndd-deploy releases diff r20261119                 what changed since one";

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Show a release: who, when, why, images, verdicts, and the stack as it was
    Show {
        /// A release, or the beginning of its name
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Show what changed from one release to another
    Diff {
        /// The earlier one
        #[arg(value_name = "A")]
        a: String,
        /// The later one; by default the newest
        #[arg(value_name = "B")]
        b: Option<String>,
    },
}

/// The answer of `releases --format json`.
#[derive(Debug, Serialize)]
struct List<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    releases: Vec<Row<'a>>,
    /// A run that was cut off, in words; the next command that changes something deals with it.
    interrupted: Option<String>,
    /// Records that cannot be read.
    damaged: &'a [Damaged],
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a ReleaseId,
    status: Status,
    /// Absent when it was never verified.
    verified: Option<bool>,
    created_at: DateTime<Utc>,
    by: &'a Who,
    why: &'a Why,
    message: Option<&'a str>,
    revision: Option<&'a Revision>,
    replicas: BTreeMap<ServiceName, u32>,
    /// Services whose image is not here any more: they would have to be built or pulled again.
    missing_images: Vec<&'a ServiceName>,
    /// Why it was not brought up.
    cause: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    schema: &'static str,
    status: Status,
    manifest: &'a Manifest,
    verdicts: &'a [Verdict],
    missing_images: Vec<&'a ServiceName>,
    cause: Option<&'a str>,
    /// Its hooks and its backup, with what they printed.
    jobs: Vec<&'a JobReport>,
}

#[derive(Debug, Serialize)]
struct Difference<'a> {
    schema: &'static str,
    a: &'a ReleaseId,
    b: &'a ReleaseId,
    changes: &'a [Change],
}

impl Releases {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        let state = release::read_state(&session.engine, &session.stack).await?;
        match self.command {
            None => list(&session, &state).await,
            Some(Subcommands::Show { id }) => show(&session, &state, &id).await,
            Some(Subcommands::Diff { a, b }) => difference(printer, &state, &a, b.as_deref()),
        }
    }
}

async fn list(session: &Session, state: &State) -> Result<Exit, Error> {
    let (engine, project) = (&session.engine, &session.stack.project);
    let entries = release::releases(state, is_up(engine, project).await?);
    let gone = gone(engine, entries.iter().map(|entry| entry.manifest)).await?;
    let interrupted = cut_off::interrupted(session, state).await?;
    let list = List {
        schema: "sysndd-deploy/releases/1",
        project,
        releases: entries.iter().map(|entry| row(entry, &gone)).collect(),
        interrupted: interrupted.map(|run| run.explain()),
        damaged: &state.damaged,
    };
    session.printer.data(&list, || list.human());
    if let Some(run) = &list.interrupted {
        session.printer.note(run);
    }
    damage(session.printer, state);
    Ok(Exit::Done)
}

fn row<'a>(entry: &Entry<'a>, gone: &BTreeSet<String>) -> Row<'a> {
    let manifest = entry.manifest;
    Row {
        id: &manifest.id,
        status: entry.status,
        verified: entry.verified,
        created_at: manifest.created_at,
        by: &manifest.by,
        why: &manifest.why,
        message: manifest.message.as_deref(),
        revision: manifest.revision.as_ref(),
        replicas: manifest.replicas(),
        missing_images: missing(manifest, gone),
        cause: entry.cause,
    }
}

impl List<'_> {
    fn human(&self) -> String {
        if self.releases.is_empty() {
            return format!("{} has no recorded release\n", self.project);
        }
        let mut table = Table::new(&[
            "RELEASE", "STATUS", "VERIFIED", "CREATED", "BY", "WHY", "REVISION", "IMAGES",
        ]);
        for row in &self.releases {
            table.row([
                row.id.to_string(),
                coloured(row.status),
                verified(row.verified).to_owned(),
                time(row.created_at),
                row.by.to_string(),
                why(row.why, row.message),
                row.revision.map(ToString::to_string).unwrap_or_default(),
                if row.missing_images.is_empty() {
                    "here".to_owned()
                } else {
                    let names = row.missing_images.iter().map(ToString::to_string);
                    format!("gone: {}", names.collect::<Vec<_>>().join(", "))
                },
            ]);
        }
        table.render()
    }
}

async fn show(session: &Session, state: &State, id: &str) -> Result<Exit, Error> {
    let engine = &session.engine;
    let id = &find(state, id)?.id;
    let up = is_up(engine, &session.stack.project).await?;
    let entries = release::releases(state, up);
    let Some(entry) = entries.iter().find(|entry| entry.manifest.id == *id) else {
        unreachable!("what was found is in the list");
    };
    let gone = gone(engine, std::iter::once(entry.manifest)).await?;
    let shown = Shown {
        schema: "sysndd-deploy/release-show/1",
        status: entry.status,
        manifest: entry.manifest,
        verdicts: state.verdicts.get(id).map_or(&[], Vec::as_slice),
        missing_images: missing(entry.manifest, &gone),
        cause: entry.cause,
        jobs: release::jobs_of(state, id).collect(),
    };
    session.printer.data(&shown, || shown.human());
    Ok(Exit::Done)
}

impl Shown<'_> {
    fn human(&self) -> String {
        let manifest = self.manifest;
        let mut text = format!("{} of {}\n", manifest.id, manifest.project);
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("  {name:<14} {value}\n"));
        };
        line("status", self.status.word().to_owned());
        if let Some(cause) = self.cause {
            line("cause", cause.replace('\n', "\n                 "));
        }
        line("created", time(manifest.created_at));
        line("by", manifest.by.to_string());
        line("why", why(&manifest.why, manifest.message.as_deref()));
        if let Some(revision) = &manifest.revision {
            let dirty = if revision.dirty { ", and changes" } else { "" };
            line("revision", format!("{}{dirty}", revision.commit));
        }
        if let Some(head) = &manifest.migration_head {
            line("migrations", head.clone());
        }
        if let Some(point) = &manifest.restore_point {
            line(
                "restore point",
                format!("{}, {}", point.backup, time(point.taken_at)),
            );
        }
        for verdict in self.verdicts {
            let word = verified(Some(verdict.pass));
            line(
                "verify",
                format!("{word}, {} by {}", time(verdict.at), verdict.by),
            );
        }
        let secrets: Vec<&str> = manifest.source.secrets().collect();
        if !secrets.is_empty() {
            line("secrets", secrets.join(", "));
        }
        text.push('\n');
        let mut table = Table::new(&["SERVICE", "REPLICAS", "IMAGE", "REFERENCE", ""]);
        for (name, service) in &manifest.services {
            let gone = self.missing_images.contains(&name);
            table.row([
                name.to_string(),
                service.replicas.to_string(),
                short(&service.image.id).to_owned(),
                service.image.reference.clone().unwrap_or_default(),
                if gone { "not here any more" } else { "" }.to_owned(),
            ]);
        }
        text.push_str(&table.render());
        for report in &self.jobs {
            text.push_str(&job_text(report));
        }
        text.push_str(&format!("\n{}", manifest.stack));
        text
    }
}

fn difference(printer: Printer, state: &State, a: &str, b: Option<&str>) -> Result<Exit, Error> {
    let a = find(state, a)?;
    let b = match b {
        Some(b) => find(state, b)?,
        None => state
            .newest()
            .ok_or_else(|| Error::usage("no release was ever brought up"))?,
    };
    let changes = release::diff(a, b);
    let difference = Difference {
        schema: "sysndd-deploy/release-diff/1",
        a: &a.id,
        b: &b.id,
        changes: &changes,
    };
    printer.data(&difference, || {
        if changes.is_empty() {
            return format!("{} and {} do not differ\n", a.id, b.id);
        }
        let mut text = format!("from {} to {}\n", a.id, b.id);
        for (sign, line) in changes.iter().flat_map(Change::lines) {
            text.push_str(&format!("{}\n", sign.paint(&line)));
        }
        text
    });
    Ok(Exit::Done)
}

/// A job with what it printed.
fn job_text(report: &JobReport) -> String {
    let how = report.failure.as_deref().unwrap_or("done");
    let mut text = format!(
        "\njob {} ({}): {how}, {}, {} ms\n",
        report.job,
        report.stage.word(),
        time(report.began),
        report.ms
    );
    if report.left_out > 0 {
        text.push_str(&format!("  | … {} lines before\n", report.left_out));
    }
    for line in &report.output {
        text.push_str(&format!("  | {line}\n"));
    }
    text
}

/// The release whose name begins so.
pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Manifest, Error> {
    let entries = release::releases(state, true);
    let found: Vec<&Manifest> = entries
        .iter()
        .map(|entry| entry.manifest)
        .filter(|manifest| manifest.id.as_str().starts_with(id))
        .collect();
    let exact = found.iter().find(|manifest| manifest.id.as_str() == id);
    match (exact, found.as_slice()) {
        (Some(exact), _) => Ok(exact),
        (None, [one]) => Ok(one),
        (None, []) => Err(Error::usage(format!("there is no release `{id}`"))
            .with_hint("`sysndd-deploy releases` lists them")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|one| one.id.as_str()).collect();
            Err(
                Error::usage(format!("`{id}` begins {} releases", several.len()))
                    .with_hint(format!("they are {}", names.join(", "))),
            )
        }
    }
}

/// Says what cannot be read, if anything.
pub(super) fn damage(printer: Printer, state: &State) {
    for damaged in &state.damaged {
        printer.note(format!(
            "a record cannot be read, {}: {}",
            damaged.path, damaged.cause
        ));
    }
}

/// Whether anything of the project is there at the engine.
async fn is_up(engine: &Engine, project: &ProjectName) -> Result<bool, Error> {
    let label = format!("{}={project}", labels::PROJECT);
    let containers = engine.containers_with(&[label]).await?;
    let is_replica =
        |labels: &BTreeMap<String, String>| !labels.contains_key(crate::docker::labels::HELPER);
    Ok(containers
        .iter()
        .any(|container| is_replica(&container.labels)))
}

/// A release that cannot be gone back to.
#[derive(Debug)]
pub(super) struct WithoutImages {
    release: ReleaseId,
    services: Vec<ServiceName>,
    revision: Option<Revision>,
}

impl std::fmt::Display for WithoutImages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.services.iter().map(ServiceName::as_str).collect();
        let (names, release) = (names.join(", "), &self.release);
        write!(
            f,
            "{release} cannot be gone back to, its images of {names} are not here any more"
        )?;
        match &self.revision {
            Some(revision) => write!(f, "; `sysndd-deploy up` at {revision} makes them again"),
            None => Ok(()),
        }
    }
}

/// Releases that were brought up and whose images were removed since, the newest first.
pub(super) async fn without_images(
    engine: &Engine,
    state: &State,
) -> Result<Vec<WithoutImages>, Error> {
    let entries = release::releases(state, true);
    let entries = entries
        .iter()
        .filter(|entry| matches!(entry.status, Status::Running | Status::Previous));
    let manifests: Vec<&Manifest> = entries.map(|entry| entry.manifest).collect();
    let gone = gone(engine, manifests.iter().copied()).await?;
    let without = |manifest: &Manifest| WithoutImages {
        release: manifest.id.clone(),
        services: missing(manifest, &gone).into_iter().cloned().collect(),
        revision: manifest.revision.clone(),
    };
    let all = manifests.into_iter().map(without);
    Ok(all.filter(|release| !release.services.is_empty()).collect())
}

/// IDs of the images of these releases that are not here any more.
async fn gone<'a>(
    engine: &Engine,
    manifests: impl Iterator<Item = &'a Manifest>,
) -> Result<BTreeSet<String>, Error> {
    let all: BTreeSet<String> = manifests
        .flat_map(|manifest| manifest.images().into_values())
        .collect();
    let look = all.into_iter().map(|id| async {
        let image = engine.find_image(&id).await?;
        Ok::<_, Error>(image.is_none().then_some(id))
    });
    Ok(future::try_join_all(look)
        .await?
        .into_iter()
        .flatten()
        .collect())
}

fn missing<'a>(manifest: &'a Manifest, gone: &BTreeSet<String>) -> Vec<&'a ServiceName> {
    manifest
        .services
        .iter()
        .filter(|(_, service)| gone.contains(&service.image.id))
        .map(|(name, _)| name)
        .collect()
}

fn coloured(status: Status) -> String {
    let style = match status {
        Status::Running => Style::new().green(),
        Status::Failed | Status::Undone => Style::new().red(),
        Status::Unfinished => Style::new().yellow(),
        Status::Previous => Style::new(),
    };
    style.apply_to(status.word()).to_string()
}

fn verified(pass: Option<bool>) -> &'static str {
    match pass {
        Some(true) => "pass",
        Some(false) => "fail",
        None => "",
    }
}

fn why(why: &Why, message: Option<&str>) -> String {
    let text = match why {
        Why::Deploy => "deploy".to_owned(),
        Why::Rollback { to } => format!("rollback to {to}"),
        Why::Adopted => "it ran already".to_owned(),
    };
    match message {
        Some(message) => format!("{text}: {message}"),
        None => text,
    }
}

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `0123456789ab` of `sha256:0123456789ab…`.
fn short(image: &str) -> &str {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    digits.get(..12).unwrap_or(digits)
}
