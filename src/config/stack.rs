//! The typed stack: what `sysndd.toml` and the environment say, checked and resolved.
//!
//! Whoever holds a [`Stack`] may rely on it: every reference leads somewhere, the dependency graph
//! has no cycle, and no two services want one host port. It does no I/O.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sysndd_migrator::Gaps;

use super::{grammar::show_duration, origin::Origin, text::Text};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// Prefix of every name the engine gets from us, and the value of the project label.
    ProjectName
}
name! {
    /// A key of `[services]`; also the DNS name of its replicas on the project's network.
    ServiceName
}
name! {
    /// A key of `[volumes]`; the engine's name is `‹project›-‹volume›`.
    VolumeName
}
name! {
    /// A key of `[jobs]`.
    JobName
}
name! {
    /// A key of `[bases.images]`.
    BaseName
}

/// A whole stack.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stack {
    pub(crate) project: ProjectName,
    /// The project as the file names it. Images bear this name, so that copies of the stack under
    /// another project name share them.
    #[serde(skip)]
    pub(crate) image_prefix: ProjectName,
    /// Directory of `sysndd.toml`; relative paths in the file are relative to it.
    #[serde(skip)]
    pub(crate) root: PathBuf,
    /// What it was read from: enough to read it again.
    #[serde(skip)]
    pub(crate) origin: Arc<Origin>,
    /// Those that were chosen: services of others are not in here.
    #[serde(skip)]
    pub(crate) profiles: Vec<String>,
    pub(crate) bases: Bases,
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    pub(crate) deploy: Deploy,
    pub(crate) services: BTreeMap<ServiceName, Service>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) jobs: BTreeMap<JobName, Job>,
    #[serde(skip_serializing_if = "Hooks::is_empty")]
    pub(crate) hooks: Hooks,
    #[serde(skip_serializing_if = "Quickstart::is_empty")]
    pub(crate) quickstart: Quickstart,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notify: Option<Notify>,
    pub(crate) volumes: BTreeMap<VolumeName, Volume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edge: Option<Edge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) migrations: Option<Migrations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backups: Option<Backups>,
    pub(crate) verify: Verify,
}

/// `[bases]`: images that others are built on or run from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bases {
    pub(crate) source: BaseSource,
    /// How long the registry may take to answer in `auto` mode.
    #[serde(serialize_with = "as_text")]
    pub(crate) registry_timeout: Duration,
    pub(crate) images: BTreeMap<BaseName, BaseImage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BaseSource {
    Auto,
    Registry,
    Distro,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct BaseImage {
    /// Reference to pull.
    pub(crate) registry: Option<String>,
    /// Directory of the recipe that makes it from distribution packages.
    pub(crate) recipe: Option<PathBuf>,
}

/// `[secrets]`: what `quickstart` writes into `.env` when it is missing.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct SecretSpec {
    /// Characters.
    pub(crate) length: usize,
    /// It may be made when there are volumes already: nothing in them was made with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) late: bool,
}

/// `[deploy]`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Deploy {
    /// From a container's start to ready; longer is a failed deploy.
    #[serde(serialize_with = "as_text")]
    pub(crate) ready_timeout: Duration,
    /// How long new replicas must stay ready before old ones end.
    #[serde(serialize_with = "as_text")]
    pub(crate) soak: Duration,
    /// How long requests may take to finish at replicas that left the upstream list.
    #[serde(serialize_with = "as_text")]
    pub(crate) drain_timeout: Duration,
    /// Replicas that may run beside those wanted; absent for all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_surge: Option<u32>,
    /// Releases that are remembered.
    pub(crate) keep_releases: u32,
    /// Connections that replicas share, for `${deploy.pool}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<PoolShares>,
    /// Makes a backup before the migrating service is replaced, and tells its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pre_deploy_backup: Option<JobName>,
    /// Brings a backup back; its name is added to the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restore_backup: Option<JobName>,
}

/// `[deploy.pool]`: how many connections there are, and who else needs some.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct PoolShares {
    /// All that the server takes.
    pub(crate) connections: u32,
    /// Of them, those for others than the replicas.
    pub(crate) reserve: u32,
    /// What a replica holds beside its pool.
    pub(crate) beside: u32,
    /// No share is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<u32>,
}

impl PoolShares {
    /// The pool of one of so many replicas; `None`, when there are not enough connections.
    pub(crate) fn share(&self, replicas: u32) -> Option<u32> {
        let free = self.connections.checked_sub(self.reserve)?;
        let share = (free / replicas.max(1)).checked_sub(self.beside)?;
        let share = self.most.map_or(share, |most| share.min(most));
        (share > 0).then_some(share)
    }
}

/// `[backups]`: the application's own program for them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Backups {
    /// In containers like those of this service it runs.
    pub(crate) service: ServiceName,
    /// The program and its arguments, before `create`, `list`, `verify` and `restore`.
    pub(crate) command: Vec<String>,
    /// Where backups lie in these containers.
    pub(crate) dir: String,
    /// How old the newest may become.
    pub(crate) max_age: Duration,
}

/// `[quickstart]`: what a first set-up does beside a deployment.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Quickstart {
    /// Run when the stack is up, each time: they must bear that.
    pub(crate) jobs: Vec<JobName>,
    /// Said at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tell: Option<String>,
}

impl Quickstart {
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.tell.is_none()
    }
}

/// `[hooks]`: jobs that are part of every deployment, in this order.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Hooks {
    /// Before anything is replaced.
    pub(crate) pre_deploy: Vec<JobName>,
    /// When the new release serves, and the old one is still there to go back to.
    pub(crate) post_deploy: Vec<JobName>,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.pre_deploy.is_empty() && self.post_deploy.is_empty()
    }
}

/// `[notify]`: who is told how a deployment ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notify {
    /// The address is the secret.
    pub(crate) webhook: Text,
    /// Longer is given up.
    #[serde(serialize_with = "as_text")]
    pub(crate) timeout: Duration,
}

/// One entry of `[jobs]`: a command that ends, in a container like those of a service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Job {
    #[serde(skip)]
    pub(crate) name: JobName,
    /// Whose image, environment, volumes, user and limits it has.
    pub(crate) service: ServiceName,
    /// Instead of the service's; its command goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<Vec<String>>,
    /// Instead of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Vec<String>>,
    /// Beside the service's.
    pub(crate) environment: BTreeMap<String, Text>,
    /// Beside the service's.
    pub(crate) volumes: Vec<Mount>,
    /// Beside the service's.
    pub(crate) depends_on: Vec<ServiceName>,
    /// Instead of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Longer is a failure.
    #[serde(serialize_with = "as_text")]
    pub(crate) timeout: Duration,
}

impl Job {
    /// The service that a container of this job is made like.
    pub(crate) fn like(&self, service: &Service) -> Service {
        let mut like = service.clone();
        if self.entrypoint.is_some() {
            like.entrypoint.clone_from(&self.entrypoint);
            like.command = None;
        }
        if self.command.is_some() {
            like.command.clone_from(&self.command);
        }
        like.environment.extend(self.environment.clone());
        like.volumes.extend(self.volumes.clone());
        if self.user.is_some() {
            like.user.clone_from(&self.user);
        }
        like
    }

    /// What must be ready before it runs.
    pub(crate) fn needs<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a ServiceName> {
        service.depends_on.iter().chain(&self.depends_on)
    }
}

/// How a changed service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UpdateOrder {
    /// New replicas run beside the old ones until these end.
    StartFirst,
    /// The old ones end before the new ones start.
    StopFirst,
}

/// One entry of `[services]`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    #[serde(skip)]
    pub(crate) name: ServiceName,
    /// It is part of the stack only while one of these is chosen; always, without any.
    #[serde(skip)]
    pub(crate) profiles: Vec<String>,
    pub(crate) image: ImageSource,
    pub(crate) replicas: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Vec<String>>,
    pub(crate) environment: BTreeMap<String, Text>,
    /// What others get in place of their own. Empty in a stack that was checked: it is in theirs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) gives: BTreeMap<ServiceName, BTreeMap<String, Text>>,
    pub(crate) volumes: Vec<Mount>,
    pub(crate) ports: Vec<Port>,
    pub(crate) depends_on: Vec<ServiceName>,
    pub(crate) healthcheck: Healthcheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    pub(crate) restart: Restart,
    /// Absent: see [`Stack::update_order`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) update_order: Option<UpdateOrder>,
    #[serde(serialize_with = "as_text")]
    pub(crate) stop_grace_period: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_signal: Option<String>,
    pub(crate) resources: Resources,
    /// `uid`, `uid:gid` or a name, as in Compose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    pub(crate) labels: BTreeMap<String, Text>,
    pub(crate) read_only: bool,
    pub(crate) tmpfs: Vec<String>,
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) no_new_privileges: bool,
    /// Regular expressions that find startup events in plain log text, by event name, for
    /// applications that do not speak the protocol. Named groups become the event's fields.
    pub(crate) events: BTreeMap<String, String>,
}

/// Where a service's image comes from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImageSource {
    /// Built from source.
    Build(Build),
    /// One of `[bases.images]`, as it is.
    Base(BaseName),
    /// Any other reference; pulled when it is missing.
    Reference(Text),
}

/// `build` of a service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Build {
    pub(crate) context: PathBuf,
    /// Relative to `context`, as in Compose.
    pub(crate) dockerfile: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    pub(crate) args: BTreeMap<String, Text>,
    /// Base images handed in as build-args `‹NAME›_IMAGE`.
    pub(crate) bases: Vec<BaseName>,
    /// Build-args `UID` and `GID`: who the application runs as in the image. `"host"` is resolved
    /// to the caller's when the file is read.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether `uid = "host"` was written, which a remote engine refuses.
    pub(crate) host_user: bool,
}

/// One mount of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mount {
    pub(crate) source: MountSource,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    /// Bind mounts only: give the directory to the service's user instead of refusing.
    pub(crate) chown: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MountSource {
    Volume(VolumeName),
    /// Absolute path on the engine's host.
    Bind(PathBuf),
}

/// `tls` of a service: what it gets from the project's own authority.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tls {
    /// Directory in its containers, with `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) dir: String,
    /// Whether it has a certificate of its own; who only asks others needs `ca.pem` alone.
    pub(crate) certificate: bool,
    /// In its certificate, beside the name of the service: names and addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    /// Who may read `key.pem`. Absent: the service's user, where the file tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
    /// Added to its command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) arguments: Vec<String>,
    /// Beside the service's.
    pub(crate) environment: BTreeMap<String, Text>,
    /// Run in its replicas when their files were renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reload: Option<Vec<String>>,
}

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Port {
    /// Host address; all when absent.
    pub(crate) host_ip: Option<String>,
    /// Host port; 0 lets the engine pick one.
    pub(crate) host: u16,
    pub(crate) container: u16,
    pub(crate) protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// `healthcheck` of a service: `test` is run by the engine for ever, `http` or `tcp` is what
/// readiness is asked of directly.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Healthcheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<EngineHealthcheck>,
}

/// How readiness is asked of a replica directly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Probe {
    /// Ready when `GET path` answers 2xx.
    Http { port: u16, path: String },
    /// Ready when a connection stands and the server sends a first byte, or holds it open for 50 ms.
    Tcp { port: u16 },
}

impl Probe {
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

/// The engine's own periodic check.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EngineHealthcheck {
    /// As in Compose: `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub(crate) test: Vec<String>,
    #[serde(serialize_with = "as_text")]
    pub(crate) interval: Duration,
    #[serde(serialize_with = "as_text")]
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    #[serde(serialize_with = "as_text")]
    pub(crate) start_period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Restart {
    No,
    Always,
    OnFailure,
    UnlessStopped,
}

/// `resources` of one replica.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Resources {
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<u64>,
    /// Cores, fractions allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpus: Option<f64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pids: Option<u32>,
}

/// One entry of `[volumes]`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Volume {
    /// Who the volume belongs to before anything is started: the user of the services that write
    /// to it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// `[edge]`: the service that proxies to the ready replicas of another.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Edge {
    pub(crate) service: ServiceName,
    /// Who publishes the port, where the edge does not do so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrance: Option<ServiceName>,
    pub(crate) upstream: ServiceName,
    /// Where the upstream's replicas listen.
    pub(crate) port: u16,
    /// Template of the upstream list.
    pub(crate) template: PathBuf,
    /// Template of the page that is served under maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maintenance: Option<PathBuf>,
    /// The volume that the list is written into, and the file's name in it.
    pub(crate) volume: VolumeName,
    pub(crate) file: String,
    /// Run inside the edge before a reload; anything but exit 0 keeps the old list.
    pub(crate) test: Vec<String>,
    pub(crate) reload_signal: String,
    /// Part of the title of the processes that answer requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worker_process: Option<String>,
    /// Answers with the generation number of the list that is in force.
    pub(crate) generation: Endpoint,
    /// The site's address as its users have it: scheme, host, and port where it is not the scheme's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
}

impl Edge {
    /// The service whose published port clients come to.
    pub(crate) fn entrance(&self) -> &ServiceName {
        self.entrance.as_ref().unwrap_or(&self.service)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    pub(crate) path: String,
}

/// `[migrations]`: who applies the schema, and where its ledger can be read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Migrations {
    pub(crate) service: ServiceName,
    /// A `mysql://` URL whose host is a service of the stack or a host outside of it.
    pub(crate) database: Text,
    #[serde(flatten)]
    pub(crate) files: MigrationFiles,
}

/// The part of `[migrations]` that concerns the files alone: no service, no secret.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MigrationFiles {
    pub(crate) dir: PathBuf,
    /// `CREATE TABLE` must name its engine.
    pub(crate) require_engine: bool,
    /// `CREATE TABLE` must name its character set.
    pub(crate) require_charset: bool,
    /// What to think of numbers that are left out. Absent: `lint` finds them, a start bears them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gaps: Option<Gaps>,
}

/// `[verify]`: what the checks expect of this stack.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verify {
    #[serde(serialize_with = "as_text")]
    pub(crate) startup_budget: Duration,
    #[serde(serialize_with = "as_text")]
    pub(crate) start_spread: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<VerifyData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) web: Option<VerifyWeb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<VerifyDatabase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) security: Option<VerifySecurity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<VerifyMail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observability: Option<VerifyObservability>,
}

/// What is asked of the database and of those who use it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyDatabase {
    /// Connections that the replicas' pools must leave to others.
    pub(crate) reserve: u32,
    /// Whether connections must be encrypted.
    pub(crate) tls: bool,
    /// Asked of every replica many times at once; it reads the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// How often at once, of each replica.
    pub(crate) parallel: u32,
    #[serde(serialize_with = "as_text")]
    pub(crate) within: Duration,
}

/// What must be refused, and where that is tried.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifySecurity {
    /// Services whose processes may be root's.
    pub(crate) root: Vec<ServiceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<VerifyCanary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<VerifyRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<VerifyBody>,
    /// A path of the upstream that pages of other sites must not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cors: Option<String>,
}

/// A request with secrets that are none, which must not appear in a log.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyCanary {
    pub(crate) path: String,
    /// JSON; `{canary}` stands for the secret.
    pub(crate) body: String,
}

/// A path that one address may not ask too often.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyRate {
    pub(crate) path: String,
    /// One of so many requests at once must be refused.
    pub(crate) requests: u32,
    /// A path that answers all the same.
    pub(crate) other: String,
    /// Paths whose limit is read in the edge's configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) configured: Vec<String>,
}

/// How long the body of a request may be, in bytes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyBody {
    pub(crate) path: String,
    pub(crate) replica: u32,
    pub(crate) edge: u32,
}

/// How a letter is sent, and where it must arrive.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyMail {
    /// In whose replica the command is run.
    pub(crate) service: ServiceName,
    /// Sends a letter to `{address}`.
    pub(crate) command: Vec<String>,
    /// Who takes all mail; it may be part of some profiles only.
    pub(crate) catcher: ServiceName,
    pub(crate) port: u16,
    /// One of them lists what it took, addresses included.
    pub(crate) paths: Vec<String>,
}

/// What replicas tell about themselves.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyObservability {
    pub(crate) service: ServiceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<VerifyMetrics>,
    /// What every line of their logs, a JSON object, must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log_keys: Vec<String>,
}

/// Metrics in the text format of Prometheus.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyMetrics {
    pub(crate) path: String,
    /// Names that must be among them.
    pub(crate) names: Vec<String>,
}

/// The directory that all replicas of a service share.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyData {
    pub(crate) service: ServiceName,
    pub(crate) path: String,
}

/// Paths that the edge must serve.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct VerifyWeb {
    pub(crate) index: String,
    /// Inside the page, and no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) favicon: Option<Favicon>,
    /// A path that reaches the upstream through the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<String>,
    /// One whose requests a replica logs, with their ids and their clients' addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logged: Option<String>,
    /// Run in the edge; prints its configuration as nginx has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) configuration: Vec<String>,
}

/// A PNG picture and its size in pixels.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Favicon {
    pub(crate) path: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Durations are written as in the file: `1500ms`, `30s`.
fn as_text<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show_duration(*duration))
}
