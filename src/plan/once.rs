//! Jobs beside a deployment, one after the other.

use sysndd_protocol::ReleaseId;

use super::{
    action::{Action, JobStage, OpId, Operation, Plan},
    spec,
};
use crate::{
    config::{JobName, Stack},
    observe::Observed,
};

/// Runs these jobs with the images that their services run; `run` is the run that makes them.
pub(crate) fn jobs(
    stack: &Stack,
    observed: &Observed,
    release: &ReleaseId,
    names: &[JobName],
    run: &str,
) -> Plan {
    let mut operations: Vec<Operation> = Vec::new();
    for name in names {
        let job = &stack.jobs[name];
        let Some(replica) = observed.replicas_of(&job.service).next() else {
            continue;
        };
        let id = OpId(operations.len());
        let stage = JobStage::Post;
        let spec = spec::job(stack, job, &replica.image, release, stage, None, run);
        let action = Action::RunJob {
            job: name.clone(),
            stage,
            spec: Box::new(spec),
            timeout: job.timeout,
            grace: stack.services[&job.service].stop_grace_period,
        };
        operations.push(Operation {
            id,
            after: id.0.checked_sub(1).map(OpId).into_iter().collect(),
            action,
            cause: "[quickstart] names it".to_owned(),
        });
    }
    Plan {
        project: stack.project.clone(),
        release: None,
        operations,
        notes: Vec::new(),
        refused: Vec::new(),
        changes: Vec::new(),
        retire_from: None,
    }
}
