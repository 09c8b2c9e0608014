//! The scheduler: starts each operation as soon as those before it are done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sysndd_protocol::ReplicaName;
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, UnboundedSender},
    },
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    ExecuteError, Failure, Leave, Progress,
    await_ready::{self, Awaited, Watcher},
    job, startup, volumes,
};
use crate::{
    config::{Edge, ServiceName, Stack},
    docker::{Engine, EngineError},
    edge,
    plan::{Action, OpId, Operation, Plan},
    points::point,
    probe::Prober,
};

/// What operations work with.
struct Workshop {
    engine: Engine,
    prober: Prober,
    stack: Stack,
    edge_template: String,
    watcher: Watcher,
    /// Of each edge, those that its last reload sent into retirement.
    old_workers: Mutex<BTreeMap<ReplicaName, edge::Workers>>,
    progress: UnboundedSender<Progress>,
    /// Ends waits when the run has failed or was interrupted; engine calls always run to their end.
    halt: CancellationToken,
}

/// Runs `plan` to its end, or until an operation fails and those beside it have ended.
pub(crate) async fn execute(
    engine: &Engine,
    prober: &Prober,
    stack: &Stack,
    edge_template: &str,
    plan: &Plan,
    progress: UnboundedSender<Progress>,
    leave: &Leave,
) -> Result<(), Failure> {
    let workshop = Arc::new(Workshop {
        engine: engine.clone(),
        prober: prober.clone(),
        stack: stack.clone(),
        edge_template: edge_template.to_owned(),
        watcher: Watcher::new(engine, plan.project.as_str()),
        old_workers: Mutex::default(),
        progress,
        halt: leave.interrupt.child_token(),
    });

    let mut waiting: BTreeMap<OpId, usize> = plan
        .operations
        .iter()
        .map(|operation| (operation.id, operation.after.len()))
        .collect();
    let mut running = JoinSet::new();
    let mut done = BTreeSet::new();
    let mut failed: Option<(OpId, ExecuteError)> = None;

    let total = plan.operations.len();
    // Those that wait for nothing any more.
    let mut free: Vec<OpId> = waiting
        .extract_if(.., |_, left| *left == 0)
        .map(|(id, _)| id)
        .collect();
    let mut is_recorded = false;
    loop {
        // What is old ends only when all else is done, and on record: a run that is cut off from here
        // on is finished, and not taken back.
        let is_proven = plan.is_proven(&done);
        if is_proven && !is_recorded && free.iter().any(|id| plan.retires(*id)) {
            workshop.proven().await;
            is_recorded = true;
        }
        for id in free.extract_if(.., |id| is_proven || !plan.retires(*id)) {
            if !leave.goes_on() {
                workshop.halt.cancel();
            }
            if !workshop.halt.is_cancelled() {
                let operation = plan.operations[id.0].clone();
                running.spawn(workshop.clone().run(operation, total));
            }
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (id, result) = match ended {
            Ok(ended) => ended,
            // A panic in an operation is a bug; it must not look like success.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        if let Err(error) = result {
            workshop.halt.cancel();
            // The first failure is the cause; those after it are mostly waits that were ended.
            if failed
                .as_ref()
                .is_none_or(|(_, first)| matches!(first, ExecuteError::Interrupted))
            {
                failed = Some((id, error));
            }
            continue;
        }
        done.insert(id);
        if workshop.halt.is_cancelled() {
            continue;
        }
        for operation in &plan.operations {
            if operation.after.contains(&id)
                && let Some(left) = waiting.get_mut(&operation.id)
            {
                *left -= 1;
                if *left == 0 {
                    waiting.remove(&operation.id);
                    free.push(operation.id);
                }
            }
        }
    }
    match failed {
        Some((id, error)) => Err(Failure {
            operation: Some(id),
            error,
            done,
        }),
        None if done.len() < plan.operations.len() => Err(Failure {
            operation: None,
            error: ExecuteError::Interrupted,
            done,
        }),
        None => Ok(()),
    }
}

impl Workshop {
    /// Returns when it is on record that all that is new is proven.
    async fn proven(&self) {
        let (recorded, mut answer) = mpsc::channel(1);
        let _ = self.progress.send(Progress::Proven(recorded));
        let _ = answer.recv().await;
    }

    async fn run(
        self: Arc<Self>,
        operation: Operation,
        total: usize,
    ) -> (OpId, Result<(), ExecuteError>) {
        let began = Instant::now();
        let _ = self.progress.send(Progress::Started(operation.id));
        let (verb, subject) = (operation.action.verb(), operation.action.subject());
        tracing::debug!(verb, subject, cause = operation.cause, "operation begins");
        let number = operation.id.0 + 1;
        point(format_args!("{verb} {number}/{total} begins"));
        let result = self.carry_out(&operation.action).await;
        point(format_args!("{verb} {number}/{total} has ended"));
        tracing::debug!(verb, subject, ok = result.is_ok(), took = ?began.elapsed(), "operation ends");
        let _ = self.progress.send(match &result {
            Ok(()) => Progress::Done(operation.id, began.elapsed()),
            Err(_) => Progress::Failed(operation.id),
        });
        (operation.id, result)
    }

    async fn carry_out(&self, action: &Action) -> Result<(), ExecuteError> {
        let engine = &self.engine;
        let project = self.stack.project.as_str();
        match action {
            Action::BuildImage { service } => {
                unreachable!("the image of {service} is made before a plan runs")
            }
            Action::CreateNetwork { name } => engine.create_network(name, project).await?,
            Action::CreateVolume { name } => engine.create_volume(name, project).await?,
            Action::OwnVolume { name, owner, image } => {
                volumes::own(engine, &self.stack, name, *owner, image).await?;
            }
            Action::OwnDirectory { path, owner, .. } => {
                std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).map_err(
                    |error| EngineError::Other {
                        doing: format!("giving {} to user {}", path.display(), owner.uid),
                        cause: error.to_string(),
                    },
                )?;
            }
            Action::ProvideTls {
                volume,
                image,
                order,
                reload,
            } => {
                volumes::provide_tls(engine, &self.stack, volume, image, order).await?;
                if let Some(reload) = reload {
                    volumes::reload(engine, reload).await?;
                }
            }
            Action::CreateContainer(spec) => engine.create(spec).await.map(drop)?,
            Action::StartContainer { replica } => {
                engine.start(replica.as_str()).await?;
                startup::follow(
                    engine.clone(),
                    self.stack.clone(),
                    replica.clone(),
                    self.progress.clone(),
                    self.halt.clone(),
                );
            }
            Action::AwaitReady {
                service,
                replica,
                timeout,
            } => {
                let awaited = self.awaited(service, replica);
                tokio::select! {
                    () = self.halt.cancelled() => return Err(ExecuteError::Interrupted),
                    ready = awaited.ready(*timeout) => ready.map_err(|failure| ExecuteError::NotReady(Box::new(failure)))?,
                }
            }
            Action::AwaitStable {
                service,
                replica,
                soak,
            } => {
                let awaited = self.awaited(service, replica);
                tokio::select! {
                    () = self.halt.cancelled() => return Err(ExecuteError::Interrupted),
                    stable = awaited.stable(*soak) => stable.map_err(|failure| ExecuteError::NotReady(Box::new(failure)))?,
                }
            }
            Action::RunJob {
                job,
                stage,
                spec,
                timeout,
                grace,
            } => {
                let secrets = self.stack.secret_values();
                let secrets: Vec<String> = secrets.into_iter().map(str::to_owned).collect();
                let order = job::Order {
                    job,
                    stage: *stage,
                    spec,
                    timeout: *timeout,
                    grace: *grace,
                    secrets: &secrets,
                };
                job::run(engine, &order, &self.progress, &self.halt).await?;
            }
            Action::WriteUpstream { .. }
            | Action::WriteMaintenance { .. }
            | Action::ReloadEdge { .. }
            | Action::RestoreUpstream { .. }
            | Action::DrainEdge { .. } => self.at_edge(action).await?,
            Action::StopContainer { replica, grace } => {
                engine.stop(replica.as_str(), *grace).await?;
            }
            Action::RemoveContainer { replica } => engine.remove(replica.as_str()).await?,
            Action::RemoveNetwork { name } => engine.remove_network(name).await?,
            Action::RemoveVolume { name } => engine.remove_volume(name).await?,
        }
        Ok(())
    }

    /// What concerns the upstream list.
    async fn at_edge(&self, action: &Action) -> Result<(), ExecuteError> {
        let (engine, config) = (&self.engine, self.edge());
        match action {
            Action::WriteUpstream { edge, list } => {
                let content = edge::render(config, &self.edge_template, list)?;
                edge::write(engine, &self.stack, config, edge.as_str(), &content).await?;
            }
            Action::WriteMaintenance { edge, maintenance } => {
                let maintenance = maintenance.as_ref();
                edge::write_maintenance(engine, &self.stack, config, edge.as_str(), maintenance)
                    .await?;
            }
            Action::ReloadEdge { edge, list, by } => {
                let (stack, config, template) = by
                    .as_ref()
                    .map_or((&self.stack, config, &self.edge_template), |old| {
                        (&old.stack, &old.config, &old.template)
                    });
                let content = edge::render(config, template, list)?;
                self.put_in_force(stack, config, edge, &content, list.generation)
                    .await?;
            }
            Action::RestoreUpstream { edge, list } => {
                let (content, generation) = (&list.content, list.generation);
                self.put_in_force(&self.stack, config, edge, content, generation)
                    .await?;
            }
            Action::DrainEdge { edge, timeout, by } => {
                let config = by.as_ref().map_or(config, |old| &old.config);
                let old = self.old_workers.lock().await.remove(edge);
                edge::drain(engine, config, edge, &old.unwrap_or_default(), *timeout).await?;
            }
            other => unreachable!("{} does not concern the edge", other.verb()),
        }
        Ok(())
    }

    async fn put_in_force(
        &self,
        stack: &Stack,
        config: &Edge,
        edge: &ReplicaName,
        content: &str,
        generation: u64,
    ) -> Result<(), ExecuteError> {
        let replica = await_ready::look(&self.engine, edge).await?;
        let old = edge::reload(
            &self.engine,
            &self.prober,
            stack,
            config,
            &replica,
            content,
            generation,
        )
        .await?;
        self.old_workers.lock().await.insert(edge.clone(), old);
        Ok(())
    }

    fn awaited<'a>(&'a self, service: &ServiceName, replica: &'a ReplicaName) -> Awaited<'a> {
        Awaited {
            engine: &self.engine,
            prober: &self.prober,
            watcher: &self.watcher,
            service: &self.stack.services[service],
            replica,
        }
    }

    fn edge(&self) -> &Edge {
        self.stack
            .edge
            .as_ref()
            .unwrap_or_else(|| unreachable!("only a stack with an edge is planned with one"))
    }
}
