//! Jobs of a deployment: a backup and the `pre_deploy` hooks before anything is replaced, the
//! `post_deploy` hooks when all that is new serves, a backup that is brought back in between.

use std::collections::BTreeSet;

use super::Planner;
use crate::{
    config::{Job, JobName, Service, ServiceName},
    observe::Replica,
    plan::{
        action::{Action, JobStage, OpId},
        order::start_order,
        spec,
    },
};

impl<'a> Planner<'a> {
    /// Jobs before which nothing is replaced, and what they need that does not run yet.
    pub(super) fn jobs_before(&mut self) {
        let mut jobs: Vec<(JobStage, &'a Job, String)> = Vec::new();
        if let Some((name, cause)) = self.backup_due() {
            jobs.extend(
                self.due(JobStage::Backup, name)
                    .map(|job| (JobStage::Backup, job, cause)),
            );
        }
        for name in &self.stack.hooks.pre_deploy {
            let cause = "[hooks] pre_deploy: nothing is replaced before it succeeds";
            let due = self.due(JobStage::Pre, name);
            jobs.extend(due.map(|job| (JobStage::Pre, job, cause.to_owned())));
        }
        if jobs.is_empty() {
            return;
        }
        let first = self.needed_first(jobs.iter().map(|(_, job, _)| *job));
        for name in start_order(self.stack) {
            if first.contains(name) {
                self.service(&self.stack.services[name]);
            }
        }
        let ready = first.iter().flat_map(|name| &self.ready[name]);
        let mut after: Vec<OpId> = ready.copied().collect();
        for (stage, job, cause) in jobs {
            after = vec![self.run_job(stage, job, None, &cause, &after)];
        }
        self.gate = after;
    }

    /// Hooks that see the new release serve; the old one is still there to go back to.
    pub(super) fn jobs_after(&mut self) {
        for name in &self.stack.hooks.post_deploy {
            if let Some(job) = self.due(JobStage::Post, name) {
                let cause = "[hooks] post_deploy: the new release serves, the old one still could";
                let after = self.proven.clone();
                let done = self.run_job(JobStage::Post, job, None, cause, &after);
                self.proven.push(done);
            }
        }
    }

    /// Brings a backup back when `service` is away for it.
    pub(super) fn restore(&mut self, service: &Service, away: &[OpId]) -> Option<OpId> {
        if !self.is_restored(service) {
            return None;
        }
        let backup = self.intent.wish.restore.as_ref()?;
        let job = &self.stack.jobs[self.stack.deploy.restore_backup.as_ref()?];
        let cause = format!("--restore-backup: {backup}");
        Some(self.run_job(JobStage::Restore, job, Some(backup), &cause, away))
    }

    /// Whether a backup is brought back under this service.
    pub(super) fn is_restored(&self, service: &Service) -> bool {
        let job = self.stack.deploy.restore_backup.as_ref();
        let job = job.and_then(|name| self.stack.jobs.get(name));
        self.intent.wish.restore.is_some()
            && job.is_some_and(|job| *self.stack.migrating(&job.service) == service.name)
    }

    /// The job, where the release is not brought up yet and it was not done for it before.
    fn due(&self, stage: JobStage, name: &JobName) -> Option<&'a Job> {
        let history = &self.intent.history;
        let job = &self.stack.jobs[name];
        let done = (self.release.clone(), stage, name.clone());
        let due = !history.recorded.contains(&self.release) && !history.done.contains(&done);
        due.then_some(job)
    }

    /// A backup is made before the service that migrates is replaced: then the data may change.
    fn backup_due(&self) -> Option<(&'a JobName, String)> {
        let name = self.stack.deploy.pre_deploy_backup.as_ref();
        let name = name.filter(|_| !self.intent.wish.no_backup)?;
        let service = self.stack.migrating(&self.stack.jobs[name].service);
        let template = &self.templates[service];
        let wish = &self.intent.wish;
        // Where nothing was ever brought up to its end, and nobody is ready now, nobody has migrated:
        // there are no data yet.
        let mut replicas = self.observed.replicas_of(service);
        if self.intent.history.recorded.is_empty() && !replicas.any(Replica::is_ready) {
            return None;
        }
        let mut replicas = self.observed.replicas_of(service);
        let replaced = replicas.any(|replica| {
            wish.force || wish.restore.is_some() || replica.config_hash != template.hash()
        });
        replaced.then(|| {
            (
                name,
                format!("{service} is replaced and may change the data"),
            )
        })
    }

    /// Services that must be ready for these jobs and are not: they are brought up before.
    fn needed_first(&self, jobs: impl Iterator<Item = &'a Job>) -> BTreeSet<&'a ServiceName> {
        let mut first = BTreeSet::new();
        let mut open: Vec<&ServiceName> = jobs
            .flat_map(|job| job.needs(&self.stack.services[&job.service]))
            .collect();
        while let Some(name) = open.pop() {
            let runs = self.observed.replicas_of(name).any(Replica::is_ready);
            if !runs && first.insert(self.key(name)) {
                open.extend(self.stack.dependencies(&self.stack.services[name]));
            }
        }
        first
    }

    fn run_job(
        &mut self,
        stage: JobStage,
        job: &'a Job,
        argument: Option<&str>,
        cause: &str,
        after: &[OpId],
    ) -> OpId {
        let mut after = after.to_vec();
        after.extend(&self.ground[&job.service]);
        after.extend(&self.volumes);
        // What an interrupted run left may have the name of the one to come.
        after.extend(&self.leftovers);
        let image = self.templates[&job.service].image();
        let run = &self.intent.run;
        let spec = spec::job(self.stack, job, image, &self.release, stage, argument, run);
        let action = Action::RunJob {
            job: job.name.clone(),
            stage,
            spec: Box::new(spec),
            timeout: job.timeout,
            grace: self.stack.services[&job.service].stop_grace_period,
        };
        self.push(after, action, cause)
    }
}
