//! An entry of `[services]`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{base_ref, build, duration, healthcheck, keyed, mount, service_ref, signal, tls};
use crate::config::{
    grammar,
    read::{
        Parsed, Shape, Table, bare_integer, boolean, choice, either, integer, late_text, list, map,
        number, parsed, plain, table, text, then, whole_table,
    },
    secrets::{hide_all, is_secret_name},
    stack::{ImageSource, Port, Resources, Restart, Service, ServiceName, UpdateOrder},
    suggest,
    text::Text,
};

/// More would not fit into the names of containers, which end in two digits.
pub(super) const MAX_REPLICAS: u32 = 99;

/// Between the signal to stop and the kill, when the file does not say; as in Compose.
const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// As they are written.
pub(in crate::config) const RESTARTS: &[(&str, Restart)] = &[
    ("no", Restart::No),
    ("always", Restart::Always),
    ("on-failure", Restart::OnFailure),
    ("unless-stopped", Restart::UnlessStopped),
];

/// As they are written.
pub(in crate::config) const UPDATE_ORDERS: &[(&str, UpdateOrder)] = &[
    ("start-first", UpdateOrder::StartFirst),
    ("stop-first", UpdateOrder::StopFirst),
];

#[expect(clippy::too_many_lines, reason = "a list of keys, each on its own")]
pub(super) fn service(t: &mut Table<'_, '_>) -> Service {
    let image = image(t);
    let profiles = t.optional(
        "profiles",
        "It is part of the stack only while one of these is chosen (top-level `profiles`).",
        list(profile()),
    );
    let replicas = t.optional(
        "replicas",
        "Copies that run at a time. Default: 1.",
        integer(1..=MAX_REPLICAS.into()),
    );
    let entrypoint = t.optional("entrypoint", "Instead of the image's.", list(plain()));
    let command = t.optional("command", "Instead of the image's.", list(plain()));
    let environment = t.optional(
        "environment",
        "Environment variables. May hold ${deploy.release} and ${deploy.replica}.",
        map(grammar::variable, grammar::VARIABLE_PATTERN, late_text()),
    );
    let gives = t.optional(
        "gives",
        "Environment variables that another service gets in place of its own, while this one is part of the stack: { api = { … } }.",
        map(
            grammar::name,
            grammar::NAME_PATTERN,
            map(grammar::variable, grammar::VARIABLE_PATTERN, late_text()),
        ),
    );
    let volumes = t.optional(
        "volumes",
        "Mounts: \"volume:/path\", \"./directory:/path:ro\", or a table.",
        list(mount::mount()),
    );
    let ports = t.optional("ports", "Published ports: \"8080:80\".", list(port()));
    let depends_on = t.optional(
        "depends_on",
        "Services that must be ready before it is started.",
        list(service_ref()),
    );
    let healthcheck = t.optional(
        "healthcheck",
        "How readiness is asked.",
        table(healthcheck::healthcheck),
    );
    let tls = t.optional(
        "tls",
        "What it gets from the project's own authority: { dir, … }.",
        whole_table(tls::tls),
    );
    let restart = t.optional(
        "restart",
        "What follows an exit. Default: no.",
        choice(RESTARTS),
    );
    let update_order = t.optional(
        "update_order",
        "Whether new replicas start before or after the old ones stop. Default: start-first, but stop-first with a fixed host port, and for a single replica with a volume of its own.",
        choice(UPDATE_ORDERS),
    );
    let stop_grace_period = t.optional(
        "stop_grace_period",
        "Between the signal to stop and the kill. Default: 10s.",
        duration(),
    );
    let stop_signal = t.optional("stop_signal", "Instead of the image's.", signal());
    let resources = t.optional("resources", "Limits of one replica.", table(resources));
    let user = t.optional(
        "user",
        "Who it runs as: uid, \"uid:gid\", or a name. Default: the image's.",
        user(),
    );
    let labels = t.optional(
        "labels",
        "Labels of its containers. May hold ${deploy.release} and ${deploy.replica}.",
        map(grammar::label, grammar::LABEL_PATTERN, late_text()),
    );
    let read_only = t.optional(
        "read_only",
        "Whether its root file system is. Default: false.",
        boolean(),
    );
    let tmpfs = t.optional("tmpfs", "Directories in memory.", list(tmpfs()));
    let cap_add = t.optional("cap_add", "Capabilities it gets.", list(capability()));
    let cap_drop = t.optional(
        "cap_drop",
        "Capabilities taken from it.",
        list(capability()),
    );
    let no_new_privileges = t.optional(
        "no_new_privileges",
        "Whether setuid is without effect. Default: false.",
        boolean(),
    );
    let events = t.optional(
        "events",
        "Regular expressions that find startup events in plain log text, by event; named groups become fields.",
        events(),
    );

    Service {
        name: ServiceName::new(t.name()),
        profiles: profiles.unwrap_or_default(),
        image,
        replicas: replicas.unwrap_or(1),
        entrypoint,
        command,
        environment: without_secrets(environment.unwrap_or_default()),
        gives: keyed(gives.unwrap_or_default(), ServiceName::new)
            .into_iter()
            .map(|(to, variables)| (to, without_secrets(variables)))
            .collect(),
        volumes: volumes.unwrap_or_default(),
        ports: ports.unwrap_or_default(),
        depends_on: depends_on.unwrap_or_default(),
        healthcheck: healthcheck.unwrap_or_default(),
        tls,
        restart: restart.unwrap_or(Restart::No),
        update_order,
        stop_grace_period: stop_grace_period.unwrap_or(STOP_GRACE_PERIOD),
        stop_signal,
        resources: resources.unwrap_or_default(),
        user,
        labels: labels.unwrap_or_default(),
        read_only: read_only.unwrap_or_default(),
        tmpfs: tmpfs.unwrap_or_default(),
        cap_add: cap_add.unwrap_or_default(),
        cap_drop: cap_drop.unwrap_or_default(),
        no_new_privileges: no_new_privileges.unwrap_or_default(),
        events: events.unwrap_or_default(),
    }
}

/// The name of a profile.
fn profile() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "pattern": grammar::NAME_PATTERN }),
        |text| grammar::name(text).map(|()| text.to_owned()),
    )
}

/// A service has one image, and it is said once where from.
fn image(t: &mut Table<'_, '_>) -> ImageSource {
    let image = t.optional(
        "image",
        "Reference of an image; pulled when it is missing.",
        text(),
    );
    let base = t.optional("base", "One of [bases.images], as it is.", base_ref());
    let build = t.optional("build", "How its image is built.", table(build::build));
    let written = t.written(["image", "base", "build"]);
    let name = t.name();
    match written.as_slice() {
        [_] => {}
        [] => t.fault(
            "",
            format!("service `{name}` has no image"),
            "give it one of `build`, `base` (of [bases.images]) or `image`",
        ),
        [.., last] => t.fault(
            last,
            format!("service `{name}` has {}", suggest::list(&written)),
            "an image comes from one place: keep one of them",
        ),
    }
    match (build, base, image) {
        (Some(build), ..) => ImageSource::Build(build),
        (_, Some(base), _) => ImageSource::Base(base),
        (.., image) => ImageSource::Reference(image.unwrap_or_default()),
    }
}

/// The values of variables whose names say that they are secrets, hidden.
pub(super) fn without_secrets(environment: BTreeMap<String, Text>) -> BTreeMap<String, Text> {
    environment
        .into_iter()
        .map(|(name, value)| {
            let value = if is_secret_name(&name) {
                hide_all(value)
            } else {
                value
            };
            (name, value)
        })
        .collect()
}

fn resources(t: &mut Table<'_, '_>) -> Resources {
    let size = parsed(
        json!({ "type": "string", "examples": ["256m", "2g"] }),
        grammar::size,
    );
    let memory = t.optional(
        "memory",
        "Bytes, or with a unit.",
        either(bare_integer(1..=u64::MAX), size),
    );
    let cpus = t.optional("cpus", "Cores, fractions allowed.", number());
    let pids = t.optional("pids", "Processes and threads.", integer(1..=4_194_304));
    Resources { memory, cpus, pids }
}

fn events() -> impl Shape<Out = BTreeMap<String, String>> {
    let regex = parsed(
        json!({ "type": "string", "format": "regex" }),
        grammar::regex,
    );
    map(grammar::event, grammar::EVENT_PATTERN, regex)
}

pub(super) fn user() -> impl Shape<Out = String> {
    let number = then(bare_integer(0..=u32::MAX.into()), |uid: u32, _, _| {
        Some(uid.to_string())
    });
    either(number, parsed(json!({ "type": "string" }), grammar::user))
}

fn tmpfs() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "examples": ["/tmp"] }),
        grammar::tmpfs,
    )
}

fn port() -> Parsed<Port> {
    parsed(
        json!({ "type": "string", "examples": ["8080:80", "127.0.0.1:8080:80"] }),
        grammar::port,
    )
}

fn capability() -> impl Shape<Out = String> {
    parsed(
        json!({ "type": "string", "examples": ["ALL", "NET_BIND_SERVICE"] }),
        grammar::capability,
    )
}
