//! `[jobs]`, `[hooks]` and `[notify]`: what is done beside bringing services up.

use std::time::Duration;

use super::{
    duration, job_ref, mount,
    service::{user, without_secrets},
    service_ref,
};
use crate::config::{
    grammar,
    read::{Shape, Table, late_text, list, map, plain, text, then},
    secrets::hide_all,
    stack::{Hooks, Job, JobName, Notify, Quickstart},
    text::{Part, Text},
};

/// From a job's start to its end, when the file does not say: a backup of some gigabytes fits.
const JOB_TIMEOUT: Duration = Duration::from_mins(15);
/// A chat server answers within a second, or it is not there.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn job(t: &mut Table<'_, '_>) -> Option<Job> {
    let service = t.required(
        "service",
        "The service whose image, environment, volumes, user and limits it has.",
        service_ref(),
    );
    let entrypoint = t.optional(
        "entrypoint",
        "Instead of the service's or the image's.",
        list(plain()),
    );
    let command = t.optional(
        "command",
        "Instead of the service's or the image's.",
        list(plain()),
    );
    let environment = t.optional(
        "environment",
        "Environment variables beside those of the service. May hold ${deploy.release} and ${deploy.replica}.",
        map(grammar::variable, grammar::VARIABLE_PATTERN, late_text()),
    );
    let volumes = t.optional(
        "volumes",
        "Mounts beside those of the service.",
        list(mount::mount()),
    );
    let depends_on = t.optional(
        "depends_on",
        "Services that must run before it does, beside those that its service depends on.",
        list(service_ref()),
    );
    let user = t.optional("user", "Who it runs as. Default: the service's.", user());
    let timeout = t.optional(
        "timeout",
        "How long it may take; longer is a failure. Default: 15m.",
        duration(),
    );
    Some(Job {
        name: JobName::new(t.name()),
        service: service?,
        entrypoint,
        command,
        environment: without_secrets(environment.unwrap_or_default()),
        volumes: volumes.unwrap_or_default(),
        depends_on: depends_on.unwrap_or_default(),
        user,
        timeout: timeout.unwrap_or(JOB_TIMEOUT),
    })
}

pub(super) fn hooks(t: &mut Table<'_, '_>) -> Hooks {
    let pre_deploy = t.optional(
        "pre_deploy",
        "Jobs that run before anything is replaced, one after the other; a failure ends the deployment.",
        list(job_ref()),
    );
    let post_deploy = t.optional(
        "post_deploy",
        "Jobs that run when the new release serves and before the old one ends; a failure undoes the deployment.",
        list(job_ref()),
    );
    Hooks {
        pre_deploy: pre_deploy.unwrap_or_default(),
        post_deploy: post_deploy.unwrap_or_default(),
    }
}

pub(super) fn quickstart(t: &mut Table<'_, '_>) -> Quickstart {
    let jobs = t.optional(
        "jobs",
        "Jobs that `quickstart` runs when the stack is up, each time: a second run must do nothing more.",
        list(job_ref()),
    );
    let tell = t.optional("tell", "What `quickstart` says at its end.", plain());
    Quickstart {
        jobs: jobs.unwrap_or_default(),
        tell,
    }
}

pub(super) fn notify(t: &mut Table<'_, '_>) -> Option<Notify> {
    let webhook = t.required(
        "webhook",
        "Where to POST how a deployment, a rollback or a failure ended, as JSON: \"${DEPLOY_WEBHOOK:-}\". Nobody is told when it is empty.",
        address(),
    );
    let timeout = t.optional(
        "timeout",
        "How long it may take to answer; longer is given up with a warning. Default: 5s.",
        duration(),
    );
    Some(Notify {
        webhook: webhook?,
        timeout: timeout.unwrap_or(WEBHOOK_TIMEOUT),
    })
}

/// An address that only those may know who post to it.
fn address() -> impl Shape<Out = Text> {
    then(text(), |text, place, pass| {
        let shown: Vec<&String> = text
            .parts()
            .iter()
            .filter_map(|part| match part {
                Part::Variable {
                    name,
                    secret: false,
                    ..
                } => Some(name),
                _ => None,
            })
            .collect();
        if let Some(name) = shown.first() {
            pass.fault_at(
                place,
                format!("the value of `{name}` would be shown and recorded, and whoever knows it may post there"),
                "give the variable a name that says that it is a secret, such as DEPLOY_WEBHOOK",
            );
            return None;
        }
        let value = text.expose();
        if !value.is_empty() && reqwest::Url::parse(&value).is_err() {
            // Not shown: it may be a secret with a typing error.
            pass.fault_at(place, "this is no URL", "write it whole: https://host/path");
            return None;
        }
        Some(hide_all(text))
    })
}
