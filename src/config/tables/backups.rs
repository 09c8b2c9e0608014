//! `[backups]`.

use std::time::Duration;

use super::{container_path, duration, service_ref};
use crate::config::{
    read::{Table, list, plain},
    stack::Backups,
};

/// A backup each night, and two hours to make it.
const MAX_AGE: Duration = Duration::from_hours(26);

pub(super) fn backups(t: &mut Table<'_, '_>) -> Option<Backups> {
    let service = t.required(
        "service",
        "The service whose image, environment, volumes and user the program gets.",
        service_ref(),
    );
    let command = t.required(
        "command",
        "The program and its first arguments; `create`, `list`, `verify` and `restore` follow, as docs/reference/backups.md has it.",
        list(plain()),
    );
    let dir = t.required(
        "dir",
        "Where the backups lie in its containers: in one of the service's volumes.",
        container_path(),
    );
    let max_age = t.optional(
        "max_age",
        "How old the newest backup may become. Default: 26h.",
        duration(),
    );
    if command.as_ref().is_some_and(Vec::is_empty) {
        t.fault(
            "command",
            "`command` is not a command",
            "write [\"program\", \"argument\"]",
        );
    }
    Some(Backups {
        service: service?,
        command: command?,
        dir: dir?,
        max_age: max_age.unwrap_or(MAX_AGE),
    })
}
