//! What several commands work on: the release that runs, as it was recorded, and not what
//! `sysndd.toml` says by now.

use std::collections::BTreeMap;

use sysndd_protocol::ReplicaName;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    images::edge_template,
    session::{self, Session},
    turn::Wait,
    typed,
};
use crate::{
    config::{ServiceName, Stack},
    edge,
    error::Error,
    exit::Exit,
    observe::{Observed, Replica},
    output::Printer,
    plan::{Maintenance, Upstream},
    release::{self, LastRun, Manifest, Turn},
    watch::{self, Followed},
};

/// The release that runs.
pub(super) struct Running {
    /// With the stack of the release, and the secrets of now.
    pub(super) session: Session,
    /// What the file says now.
    pub(super) file: Stack,
    pub(super) manifest: Manifest,
    pub(super) observed: Observed,
    /// How far the record had come.
    pub(super) seen: Option<LastRun>,
}

impl Running {
    pub(super) async fn open(global: &Global, printer: Printer) -> Result<Self, Error> {
        Self::of(Session::open(global, printer).await?).await
    }

    /// For a command that changes it: what runs is what another's turn has left.
    pub(super) async fn waiting(
        global: &Global,
        printer: Printer,
        wait: Wait,
    ) -> Result<Self, Error> {
        let mut session = Session::open(global, printer).await?;
        session.wait_until = wait.deadline();
        session.wait_for_lock().await?;
        Self::of(session).await
    }

    async fn of(now: Session) -> Result<Self, Error> {
        let observed = now.observe().await?;
        let project = &now.stack.project;
        let Some(seen) = observed.release() else {
            return Err(Error::usage(format!("{project} is down"))
                .with_hint("`sysndd-deploy up` starts it"));
        };
        let state = release::read_state(&now.engine, &now.stack).await?;
        let release = state.running(seen);
        let seen = state.last_run();
        let Some(mut manifest) = state.releases.get(release).cloned() else {
            return Err(Error::new(
                Exit::Usage,
                format!("{release} was not brought up to its end: nothing is recorded of it"),
            )
            .with_hint("`sysndd-deploy up` finishes it, or undoes it when it cannot"));
        };
        let mut session = now.of_release(&manifest)?;
        let upstream = now.stack.edge.as_ref().map(|edge| &edge.upstream);
        let servers = upstream.map(|upstream| observed.replicas_of(upstream));
        let servers = servers.into_iter().flatten();
        let list = List {
            servers: servers.map(|replica| replica.name.clone()).collect(),
            maintenance: observed.maintenance.as_ref(),
        };
        let is_in_force = |generation| observed.edge_generation == Some(generation);
        as_in_force(
            &now.stack,
            &mut session.stack,
            &mut manifest,
            list,
            is_in_force,
        );
        Ok(Self {
            file: now.stack.clone(),
            session,
            manifest,
            observed,
            seen,
        })
    }

    /// Our turn, and what runs by then. Refused while a run is cut off.
    pub(super) async fn turn(
        &mut self,
        global: &Global,
        interrupt: &CancellationToken,
    ) -> Result<Turn, Error> {
        let (engine, stack) = (&self.session.engine, &self.session.stack);
        let image = release::helper_image(engine, stack).await?;
        let turn = self.session.turn(&image, &typed(), interrupt).await?;
        if let Some(run) = turn.interrupted() {
            turn.leave().await?;
            return Err(Error::usage(run.explain())
                .with_hint("`sysndd-deploy up` finishes it, or undoes it when it cannot"));
        }
        self.refresh(global, &turn).await?;
        Ok(turn)
    }

    /// Another command may have had its turn since we looked.
    async fn refresh(&mut self, global: &Global, turn: &Turn) -> Result<(), Error> {
        if turn.state().last_run() == self.seen {
            self.observed = self.session.observe().await?;
        } else {
            *self = Self::open(global, self.session.printer).await?;
        }
        Ok(())
    }

    /// Replicas by service as they are, also where they were scaled since. The highest number
    /// counts: one that is missing below it is not a wish for fewer.
    pub(super) fn counts(&self) -> BTreeMap<ServiceName, u32> {
        let count = |(service, recorded)| {
            let numbers = self
                .observed
                .replicas_of(&service)
                .map(|found| found.number);
            let count = numbers.max().unwrap_or(recorded);
            (service, count)
        };
        self.manifest.replicas().into_iter().map(count).collect()
    }

    /// A service of the release, by the name that was typed.
    pub(super) fn service(&self, name: &str) -> Result<ServiceName, Error> {
        known(&self.session.stack, name)
    }
}

/// What is in a list.
struct List<'a> {
    servers: Vec<ReplicaName>,
    maintenance: Option<&'a Maintenance>,
}

/// A template or a port that changed alone made no release, and is recorded with none: what the file
/// says of them counts where it is in force.
fn as_in_force(
    file: &Stack,
    ran: &mut Stack,
    manifest: &mut Manifest,
    list: List<'_>,
    is_in_force: impl Fn(u64) -> bool,
) {
    let (Some(said), Some(edge), Ok(template)) = (&file.edge, &mut ran.edge, edge_template(file))
    else {
        return;
    };
    let list = Upstream::of(said, &template, list.servers, list.maintenance);
    if is_in_force(list.generation) {
        edge.port = said.port;
        edge.template.clone_from(&said.template);
        manifest.files.insert(said.template.clone(), template);
    }
}

/// What `watch` goes by: the newest release that was brought up to its end.
pub(super) async fn followed(
    global: &Global,
    session: &Session,
    observed: &Observed,
) -> Result<Followed, Error> {
    let state = release::read_state(&session.engine, &session.stack).await?;
    let newest = state.newest().cloned();
    let mut manifest = newest.ok_or_else(|| Error::usage("none is recorded"))?;
    let mut ran = session.of_release(&manifest)?;
    // Not the file as it was when the watch began.
    if let (Some(edge), Ok(file)) = (ran.stack.edge.clone(), session::load(global)) {
        let mut edges = observed.replicas_of(&edge.service);
        if let Some(replica) = edges.find(|replica| replica.is_running()) {
            let (engine, container) = (&session.engine, &replica.container);
            let text = edge::read(engine, &ran.stack, &edge, container).await?;
            let text = text.unwrap_or_default();
            let maintenance = edge::read_maintenance(engine, &ran.stack, &edge, container).await?;
            let replicas = observed.replicas_of(&edge.upstream);
            let listed = watch::listed(&text, replicas.map(|replica| &replica.name));
            let list = List {
                servers: listed.into_iter().collect(),
                maintenance: maintenance.as_ref(),
            };
            let is_in_force = |generation: u64| text.contains(&generation.to_string());
            as_in_force(&file, &mut ran.stack, &mut manifest, list, is_in_force);
        }
    }
    Ok(Followed {
        template: manifest.edge_template(&ran.stack).to_owned(),
        stack: ran.stack,
    })
}

/// A service of the stack, by the name that was typed.
pub(super) fn known(stack: &Stack, name: &str) -> Result<ServiceName, Error> {
    let service = ServiceName::new(name);
    if stack.services.contains_key(&service) {
        return Ok(service);
    }
    let names: Vec<&str> = stack.services.keys().map(ServiceName::as_str).collect();
    Err(Error::usage(format!("there is no service {name}"))
        .with_hint(format!("services are {}", names.join(", "))))
}

/// The replica that was meant: `api` is any that runs, `api.2` and `api-2` are number 2; a
/// container's whole name is understood as well.
pub(super) fn replica<'a>(
    stack: &Stack,
    observed: &'a Observed,
    text: &str,
) -> Result<&'a Replica, Error> {
    let named = observed
        .replicas
        .iter()
        .find(|replica| replica.name.as_str() == text);
    let found = if named.is_some() {
        named
    } else {
        let (service, number) = target(text, |name| {
            stack.services.contains_key(&ServiceName::new(name))
        });
        let service = known(stack, service)?;
        observed
            .replicas
            .iter()
            .filter(|replica| replica.service == service)
            .filter(|replica| number.is_none_or(|number| replica.number == number))
            // While one replaces another, the one that runs.
            .max_by_key(|replica| (replica.is_running(), std::cmp::Reverse(replica.number)))
    };
    match found {
        Some(replica) if replica.is_running() => Ok(replica),
        Some(replica) => Err(Error::deploy(format!("{} does not run", replica.name))
            .with_hint("`sysndd-deploy status` shows what does")),
        None => Err(Error::deploy(format!("there is no replica {text}"))
            .with_hint("`sysndd-deploy status` shows what runs")),
    }
}

/// A service and the number of a replica, where there is one.
fn target(text: &str, is_service: impl Fn(&str) -> bool) -> (&str, Option<u32>) {
    if is_service(text) {
        return (text, None);
    }
    match text.rsplit_once(['.', '-']) {
        Some((service, number)) if is_service(service) => match number.parse() {
            Ok(number) => (service, Some(number)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_replica_is_a_service_with_a_number() {
        let known = |name: &str| ["api", "api-2", "web"].contains(&name);
        for (text, expected) in [
            ("api", ("api", None)),
            ("api.3", ("api", Some(3))),
            ("web-1", ("web", Some(1))),
            // A service may bear a number in its name.
            ("api-2", ("api-2", None)),
            ("api-2-1", ("api-2", Some(1))),
            ("api.x", ("api.x", None)),
            ("other-1", ("other-1", None)),
        ] {
            assert_eq!(target(text, known), expected, "{text}");
        }
    }
}
