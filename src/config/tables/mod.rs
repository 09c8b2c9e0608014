//! The tables of `sysndd.toml`, one function each, a line per key.
//!
//! What a function returns is a draft: references are looked up later, all at once, and
//! [`check`](super::check) looks at what only the whole can tell.

mod backups;
mod bases;
mod build;
mod edge;
mod healthcheck;
mod jobs;
mod migrations;
mod mount;
mod service;
mod tls;
mod verify;

pub(super) use bases::SOURCES;
pub(super) use migrations::GAPS;
pub(super) use service::{RESTARTS, UPDATE_ORDERS};

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    files::Needed,
    grammar,
    read::{
        Kind, Parsed, Problem, Shape, Table, boolean, integer, map, parsed, plain, table, then,
        whole_table,
    },
    stack::{
        BaseName, Deploy, Endpoint, JobName, MigrationFiles, Owner, PoolShares, ProjectName,
        SecretSpec, ServiceName, Stack, Volume, VolumeName,
    },
};

/// From a container's start to ready, when the file does not say.
const READY_TIMEOUT: Duration = Duration::from_mins(2);
/// Long enough to see a replica that falls over with its first requests to the database.
const SOAK: Duration = Duration::from_secs(2);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_RELEASES: u32 = 5;
const MAX_RELEASES: u64 = 1000;
const MAX_CONNECTIONS: u64 = 100_000;
/// For an operator, a backup, and a look at the ledger.
const RESERVE: u32 = 10;
/// Below this a secret can be guessed.
const MIN_SECRET: u64 = 16;
const MAX_SECRET: u64 = 256;

/// The whole file.
pub(super) fn file() -> impl Shape<Out = Stack> {
    table(stack)
}

fn stack(t: &mut Table<'_, '_>) -> Stack {
    let name = then(plain_name(), |name, _, _| Some(ProjectName::new(name)));
    let project = t.required("project", "Prefix of every name in the engine.", name);
    let profiles = t.optional(
        "profiles",
        "Profiles that are chosen, parted by commas; a service with `profiles` is part of the stack only while one of them is.",
        parsed(json!({ "type": "string" }), profiles),
    );
    let bases = t.optional(
        "bases",
        "Images that others are built on or run from.",
        table(bases::bases),
    );
    let secrets = t.optional(
        "secrets",
        "Variables that `quickstart` writes into .env when they are missing; never shown.",
        secrets(),
    );
    let deploy = t.optional("deploy", "How releases are brought up.", table(deploy));
    let services = t.required(
        "services",
        "What runs, by name; the name is also the DNS name of its replicas.",
        map(
            grammar::name,
            grammar::NAME_PATTERN,
            table(service::service),
        ),
    );
    let jobs = t.optional(
        "jobs",
        "Commands that end, by name; `hooks` and `deploy` say when they run.",
        map(grammar::name, grammar::NAME_PATTERN, whole_table(jobs::job)),
    );
    let hooks = t.optional(
        "hooks",
        "Jobs that are part of every deployment.",
        table(jobs::hooks),
    );
    let quickstart = t.optional(
        "quickstart",
        "What a first set-up does beside a deployment.",
        table(jobs::quickstart),
    );
    let notify = t.optional(
        "notify",
        "Who is told how a deployment ended.",
        whole_table(jobs::notify),
    );
    let volumes = t.optional(
        "volumes",
        "Named volumes; the engine's name is ‹project›-‹volume›.",
        map(grammar::name, grammar::NAME_PATTERN, table(volume)),
    );
    let edge = t.optional(
        "edge",
        "The service that proxies to the ready replicas of another.",
        whole_table(edge::edge),
    );
    let migrations = t.optional(
        "migrations",
        "Who applies the schema, and where its ledger can be read.",
        whole_table(migrations::migrations),
    );
    let backups = t.optional(
        "backups",
        "The application's own program for backups: `sysndd-deploy backup` and the checks of the suite backup run it.",
        whole_table(backups::backups),
    );
    let verify = t.optional(
        "verify",
        "What the checks expect of this stack.",
        table(verify::verify),
    );
    Stack {
        project: project.unwrap_or_else(|| ProjectName::new("")),
        image_prefix: ProjectName::new(""),
        root: PathBuf::new(),
        origin: Arc::default(),
        profiles: profiles.unwrap_or_default(),
        bases: bases.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        deploy: deploy.unwrap_or_default(),
        services: keyed(services.unwrap_or_default(), ServiceName::new),
        jobs: keyed(jobs.unwrap_or_default(), JobName::new),
        hooks: hooks.unwrap_or_default(),
        quickstart: quickstart.unwrap_or_default(),
        // An empty address means that nobody wants to be told.
        notify: notify.filter(|notify| !notify.webhook.expose().is_empty()),
        volumes: keyed(volumes.unwrap_or_default(), VolumeName::new),
        edge,
        migrations,
        backups,
        verify: verify.unwrap_or_default(),
    }
}

/// The part of `[migrations]` that concerns the files alone.
pub(super) fn migration_files() -> impl Shape<Out = MigrationFiles> {
    whole_table(migrations::files_alone)
}

/// A list in one text, so that it can come from a variable.
fn profiles(text: &str) -> Result<Vec<String>, Problem> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(|name| grammar::name(name).map(|()| name.to_owned()))
        .collect()
}

/// `[secrets]`.
pub(super) fn secrets() -> impl Shape<Out = BTreeMap<String, SecretSpec>> {
    map(
        grammar::variable,
        grammar::VARIABLE_PATTERN,
        whole_table(secret),
    )
}

fn secret(t: &mut Table<'_, '_>) -> Option<SecretSpec> {
    let length = t.required("length", "Characters.", integer(MIN_SECRET..=MAX_SECRET));
    let late = t.optional(
        "late",
        "Whether it may be made when there are volumes already: nothing in them was made with it. Default: false.",
        boolean(),
    );
    Some(SecretSpec {
        length: length?,
        late: late.unwrap_or(false),
    })
}

fn deploy(t: &mut Table<'_, '_>) -> Deploy {
    let ready_timeout = t.optional(
        "ready_timeout",
        "From a container's start to ready; longer is a failed deploy. Default: 120s.",
        duration(),
    );
    let soak = t.optional(
        "soak",
        "How long new replicas must stay ready before old ones end. Default: 2s.",
        duration(),
    );
    let drain_timeout = t.optional(
        "drain_timeout",
        "How long requests may take to finish at replicas that left the upstream list. Default: 30s.",
        duration(),
    );
    let max_surge = t.optional(
        "max_surge",
        "Replicas that may run beside those wanted. Default: all at once.",
        integer(1..=service::MAX_REPLICAS.into()),
    );
    let keep_releases = t.optional(
        "keep_releases",
        "Releases that are remembered, with their images. Default: 5.",
        integer(1..=MAX_RELEASES),
    );
    let pool = t.optional(
        "pool",
        "Connections that replicas share: ${deploy.pool} in the environment of a service is what one of its replicas may hold, while old and new ones run beside each other.",
        whole_table(pool),
    );
    let pre_deploy_backup = t.optional(
        "pre_deploy_backup",
        "The job that makes a backup before the migrating service is replaced; its last line on stdout is {\"filename\": \"…\"}.",
        job_ref(),
    );
    let restore_backup = t.optional(
        "restore_backup",
        "The job that brings a backup back, for `rollback --restore-backup`; the backup's name is added to its command.",
        job_ref(),
    );
    let default = Deploy::default();
    Deploy {
        ready_timeout: ready_timeout.unwrap_or(default.ready_timeout),
        soak: soak.unwrap_or(default.soak),
        drain_timeout: drain_timeout.unwrap_or(default.drain_timeout),
        max_surge,
        keep_releases: keep_releases.unwrap_or(default.keep_releases),
        pool,
        pre_deploy_backup,
        restore_backup,
    }
}

fn pool(t: &mut Table<'_, '_>) -> Option<PoolShares> {
    let connections = t.required(
        "connections",
        "All that the server takes.",
        integer(1..=MAX_CONNECTIONS),
    );
    let reserve = t.optional(
        "reserve",
        "Of them, those for others than the replicas. Default: 10.",
        integer(0..=MAX_CONNECTIONS),
    );
    let beside = t.optional(
        "beside",
        "What a replica holds beside its pool. Default: 0.",
        integer(0..=MAX_CONNECTIONS),
    );
    let most = t.optional(
        "most",
        "No replica's share is larger. Default: no limit.",
        integer(1..=MAX_CONNECTIONS),
    );
    Some(PoolShares {
        connections: connections?,
        reserve: reserve.unwrap_or(RESERVE),
        beside: beside.unwrap_or(0),
        most,
    })
}

impl Default for Deploy {
    fn default() -> Self {
        Self {
            ready_timeout: READY_TIMEOUT,
            soak: SOAK,
            drain_timeout: DRAIN_TIMEOUT,
            max_surge: None,
            keep_releases: KEEP_RELEASES,
            pool: None,
            pre_deploy_backup: None,
            restore_backup: None,
        }
    }
}

fn volume(t: &mut Table<'_, '_>) -> Volume {
    let owner = t.optional(
        "owner",
        "Who it belongs to, in numbers: \"1000:1000\". Default: the user of the services that write to it.",
        owner(),
    );
    Volume { owner }
}

/// `{ port, path }`
fn endpoint(t: &mut Table<'_, '_>) -> Option<Endpoint> {
    let port = t.required("port", "Port inside the container.", port_number());
    let path = t.required("path", "Path of the URL.", url_path());
    Some(Endpoint {
        port: port?,
        path: path?,
    })
}

fn keyed<K: Ord, V>(map: BTreeMap<String, V>, key: fn(String) -> K) -> BTreeMap<K, V> {
    map.into_iter()
        .map(|(name, value)| (key(name), value))
        .collect()
}

fn plain_name() -> Parsed<String> {
    parsed(json!({ "type": "string" }), |text| {
        grammar::name(text).map(|()| text.to_owned())
    })
}

/// The name of a service of the file.
fn service_ref() -> impl Shape<Out = ServiceName> {
    then(plain(), |name, place, pass| {
        pass.refer(Kind::Service, &name, place);
        Some(ServiceName::new(name))
    })
}

/// The name of a job of the file.
fn job_ref() -> impl Shape<Out = JobName> {
    then(plain(), |name, place, pass| {
        pass.refer(Kind::Job, &name, place);
        Some(JobName::new(name))
    })
}

/// The name of a volume of the file.
fn volume_ref() -> impl Shape<Out = VolumeName> {
    then(plain(), |name, place, pass| {
        pass.refer(Kind::Volume, &name, place);
        Some(VolumeName::new(name))
    })
}

/// The name of a base image of the file.
fn base_ref() -> impl Shape<Out = BaseName> {
    then(plain(), |name, place, pass| {
        pass.refer(Kind::Base, &name, place);
        Some(BaseName::new(name))
    })
}

fn duration() -> Parsed<Duration> {
    parsed(
        json!({ "type": "string", "examples": ["500ms", "30s", "1m30s"] }),
        grammar::duration,
    )
}

fn owner() -> Parsed<Owner> {
    parsed(
        json!({ "type": "string", "examples": ["1000:1000"] }),
        grammar::owner,
    )
}

fn port_number() -> impl Shape<Out = u16> {
    integer(1..=65_535)
}

fn url_path() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "pattern": "^(/|.*\\$\\{)" }),
        grammar::url_path,
    )
}

fn container_path() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "pattern": "^(/|.*\\$\\{)" }),
        grammar::container_path,
    )
}

/// A directory beside the file that must be there.
fn directory(what: &'static str) -> impl Shape<Out = PathBuf> {
    then(local_path(), move |path, place, pass| {
        pass.need(Needed::directory(what, path.clone()), place);
        Some(path)
    })
}

/// A file beside the file that must be there.
fn existing_file(what: &'static str) -> impl Shape<Out = PathBuf> {
    then(local_path(), move |path, place, pass| {
        pass.need(Needed::file(what, path.clone()), place);
        Some(path)
    })
}

fn local_path() -> Parsed<PathBuf> {
    parsed(
        json!({ "type": "string", "minLength": 1 }),
        grammar::local_path,
    )
}

fn signal() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "examples": ["SIGTERM", "SIGQUIT"] }),
        grammar::signal,
    )
}
