//! What nearly every command begins with: the stack, the engine, a way to ask replicas.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use super::{Global, ProbeWay, address::for_people};
use crate::{
    config::{
        self, ConfigErrors, Environment, ImageSource, MigrationFiles, ProjectName, Secrets,
        ServiceName, Stack,
    },
    docker::{Engine, Location, labels},
    error::Error,
    observe::{Observed, Replica, observe},
    output::Printer,
    plan::Wish,
    probe::{Prober, Way},
    release::Manifest,
};

/// A loaded stack and the engine that it runs on.
pub(super) struct Session {
    pub(super) printer: Printer,
    pub(super) stack: Stack,
    pub(super) engine: Engine,
    pub(super) prober: Prober,
    /// The file that the stack was read from here, and beside which secrets are found.
    file: PathBuf,
    /// Whether packages that turn out to be missing may be installed on this machine.
    pub(super) may_install: bool,
    /// Until when to wait for another's turn to end.
    pub(super) wait_until: Option<Instant>,
}

/// Loads `sysndd.toml` without asking an engine.
pub(super) fn load(global: &Global) -> Result<Stack, Error> {
    let mut stack = read(global)??;
    if let Some(project) = &global.project {
        stack.project = config::project_name(project)
            .map_err(|cause| Error::usage(format!("--project {project}: {cause}")))?;
    }
    Ok(stack)
}

/// What the stack says about migration files, without anything that needs a secret.
pub(super) fn migration_files(global: &Global) -> Result<MigrationFiles, Error> {
    let environment = config::Environment::of_process()?;
    let path = path(global, &environment)?;
    config::migration_files(&path, &environment)?.ok_or_else(no_migrations)
}

/// The stack has no `[migrations]`.
pub(super) fn no_migrations() -> Error {
    Error::usage("the stack has no [migrations]")
        .with_hint("`sysndd-deploy config schema` says what belongs there")
}

/// The stack, or its faults one by one.
pub(super) fn read(global: &Global) -> Result<Result<Stack, ConfigErrors>, Error> {
    let environment = config::Environment::of_process()?;
    let path = path(global, &environment)?;
    Ok(config::load(&path, &environment))
}

/// The file that describes the stack.
pub(super) fn path(global: &Global, environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(path) = &global.config {
        return Ok(environment.directory.join(path));
    }
    config::discover(&environment.directory).ok_or_else(|| {
        Error::usage("there is no sysndd.toml here or in a directory above")
            .with_hint("go to the project's directory, or name the file with --config")
    })
}

impl Session {
    /// Loads the stack, then connects: a fault in the file is told before the engine is looked for.
    pub(super) async fn open(global: &Global, printer: Printer) -> Result<Self, Error> {
        let stack = load(global)?;
        let engine = Engine::connect(&global.engine()).await?;
        Ok(Self::on_engine(global, printer, stack, engine))
    }

    /// What is written of the caller's user means the user of this machine, and images for another
    /// machine would belong to a stranger there.
    pub(super) fn refuse_host_user(&self) -> Result<(), Error> {
        let info = self.engine.info();
        if info.location == Location::Local {
            return Ok(());
        }
        let mut services = self.stack.services.values();
        let Some(service) = services
            .find(|service| matches!(&service.image, ImageSource::Build(build) if build.host_user))
        else {
            return Ok(());
        };
        Err(Error::usage(format!(
            "services.{}.build: uid = \"host\" means your number on this machine, and the engine is on another: {}",
            service.name, info.host
        ))
        .with_hint("write the number that the data has there, such as uid = 1000; `id -u` on that machine says it"))
    }

    pub(super) fn on_engine(
        global: &Global,
        printer: Printer,
        stack: Stack,
        engine: Engine,
    ) -> Self {
        let way = match global.probe {
            ProbeWay::Auto => Way::Undecided,
            ProbeWay::Direct => Way::Direct,
            ProbeWay::Inside => Way::Inside,
        };
        let prober = Prober::new(engine.clone(), way);
        Self {
            printer,
            file: stack.origin.path.clone(),
            stack,
            engine,
            prober,
            may_install: false,
            wait_until: None,
        }
    }

    pub(super) async fn observe(&self) -> Result<Observed, Error> {
        let asking = Some((&self.stack, &self.prober));
        Ok(Box::pin(observe(&self.engine, &self.stack.project, asking)).await?)
    }

    /// What Compose brought up is Compose's to change: two that manage the same containers undo each
    /// other's work.
    pub(super) async fn refuse_compose(&self) -> Result<(), Error> {
        let project = &self.stack.project;
        let wanted = [
            format!("{}={project}", labels::PROJECT),
            format!("{}={}", labels::RELEASE, labels::COMPOSE),
        ];
        if self.engine.containers_with(&wanted).await?.is_empty() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "the containers of {project} were brought up by Docker Compose and are left to it"
        ))
        .with_hint(format!(
            "`docker compose -p {project} …` changes them; `--project NAME` takes another name beside them"
        )))
    }

    /// The same engine, another stack: `verify --fresh` works on a copy.
    pub(super) fn with_other_stack(&self, stack: Stack) -> Self {
        Self {
            printer: self.printer,
            engine: self.engine.clone(),
            prober: self.prober.clone(),
            file: self.file.clone(),
            stack,
            may_install: self.may_install,
            wait_until: self.wait_until,
        }
    }

    /// The same engine, the stack of a release that is recorded, with the secrets of now.
    pub(super) fn of_release(&self, manifest: &Manifest) -> Result<Self, Error> {
        let secrets = Secrets::beside(&self.file, &Environment::of_process()?)?;
        Ok(self.with_other_stack(manifest.stack(&secrets)?))
    }

    /// Where the site is reached from here: the first port that the edge publishes, or its entrance.
    pub(super) fn url(&self, observed: &Observed) -> Option<String> {
        let published = self.entrance(observed)?.published(self.engine.info())?;
        Some(format!("http://{published}"))
    }

    /// Where a browser goes.
    pub(super) fn public_url(&self, observed: &Observed) -> Option<String> {
        let engine = self.engine.info();
        let published = self.entrance(observed)?.published(engine);
        let said = self.stack.edge.as_ref()?.public_url.as_deref();
        for_people(said, published.as_deref(), engine.location)
    }

    /// Whom clients come to, if it runs.
    fn entrance<'a>(&'a self, observed: &'a Observed) -> Option<&'a Replica> {
        let edge = self.stack.edge.as_ref()?;
        observed
            .replicas_of(edge.entrance())
            .find(|replica| replica.is_running())
    }

    /// What the options of `up` and `plan` ask for.
    pub(super) fn wish(
        &self,
        replicas: &[String],
        force: bool,
        allow_recreate: &[String],
    ) -> Result<Wish, Error> {
        let known = |name: &String| {
            let name = ServiceName::new(name.as_str());
            if self.stack.services.contains_key(&name) {
                Ok(name)
            } else {
                Err(Error::usage(format!(
                    "--allow-recreate {name}: there is no service {name}"
                ))
                .with_hint(format!("services are {}", self.service_names())))
            }
        };
        Ok(Wish {
            replicas: self.replica_counts(replicas)?,
            force,
            allow_recreate: allow_recreate.iter().map(known).collect::<Result<_, _>>()?,
            ..Wish::default()
        })
    }

    fn service_names(&self) -> String {
        let names: Vec<&str> = self
            .stack
            .services
            .keys()
            .map(ServiceName::as_str)
            .collect();
        names.join(", ")
    }

    /// `4` or `api=4,web=1` → counts by service. A bare number means the service that is scaled.
    pub(super) fn replica_counts(
        &self,
        texts: &[String],
    ) -> Result<BTreeMap<ServiceName, u32>, Error> {
        texts
            .iter()
            .flat_map(|text| text.split(','))
            .map(|text| self.replica_count(text))
            .collect()
    }

    fn replica_count(&self, text: &str) -> Result<(ServiceName, u32), Error> {
        let (service, count) = match text.split_once('=') {
            Some((service, count)) => (ServiceName::new(service), count),
            None => (self.scaled_service()?, text),
        };
        let wrong = || Error::usage(format!("{text}: expected a number or SERVICE=NUMBER"));
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let known = self.stack.services.get(&service).ok_or_else(|| {
            Error::usage(format!("{text}: there is no service {service}"))
                .with_hint(format!("services are {}", self.service_names()))
        })?;
        if count == 0 {
            return Err(Error::usage(format!("{text}: at least 1"))
                .with_hint("`sysndd-deploy down` takes the stack away"));
        }
        if let Some(port) = known
            .ports
            .iter()
            .find(|port| port.host != 0)
            .filter(|_| count > 1)
        {
            return Err(Error::usage(format!(
                "{text}: {service} publishes host port {}, which only one replica can have",
                port.host
            ))
            .with_hint("put [edge] in front of it and publish the edge's port"));
        }
        let pool = |count| {
            let pool = self.stack.deploy.pool.as_ref();
            pool.and_then(|pool| pool.share(self.stack.at_a_time(known, count)))
        };
        if pool(count) < pool(known.replicas) {
            self.printer.note(format!(
                "{service}: the pools are those of {} replicas, and `[deploy.pool]` has not enough connections for {count} of them; write `replicas = {count}` into the file to have smaller ones",
                known.replicas
            ));
        }
        Ok((service, count))
    }

    fn scaled_service(&self) -> Result<ServiceName, Error> {
        if let Some(edge) = &self.stack.edge {
            return Ok(edge.upstream.clone());
        }
        let mut many = self
            .stack
            .services
            .values()
            .filter(|service| service.replicas > 1);
        match (many.next(), many.next()) {
            (Some(service), None) => Ok(service.name.clone()),
            _ => Err(Error::usage("which service has so many replicas?")
                .with_hint("write SERVICE=NUMBER")),
        }
    }
}

/// A project name for a copy of `project` that nothing else uses.
pub(super) fn unique_project(project: &ProjectName, purpose: &str) -> ProjectName {
    let random: u32 = rand::random();
    ProjectName::new(format!("{project}-{purpose}{:05x}", random & 0xf_ffff))
}
