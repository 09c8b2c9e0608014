//! A stack as `sysndd.toml` would say it: resolved, complete, secrets as references.
//!
//! What is written here reads back as the same stack in the same environment, save for secrets
//! that were written out in the file: they are shown as `***`, which the reader refuses.

#![expect(
    clippy::unnecessary_wraps,
    reason = "entries of a table are all of one type"
)]

use std::{collections::BTreeMap, path::Path, time::Duration};

use toml::{Table, Value};

use super::{
    grammar::{show_duration, show_owner, show_port, show_size},
    stack::{
        Backups, Bases, Build, Edge, EngineHealthcheck, Healthcheck, ImageSource, Job, JobName,
        Migrations, Mount, MountSource, Notify, Probe, Resources, Service, Stack, Tls, Verify,
        VerifyDatabase, VerifyMail, VerifyObservability, VerifySecurity,
    },
    tables::{GAPS, RESTARTS, SOURCES, UPDATE_ORDERS},
    text::Text,
};

/// The stack as a TOML document.
pub(crate) fn show(stack: &Stack) -> String {
    let secrets = named(&stack.secrets, String::as_str, |secret| {
        table([
            ("length", integer(secret.length)),
            ("late", secret.late.then_some(Value::Boolean(true))),
        ])
    });
    let volumes = named(
        &stack.volumes,
        |name| name.as_str(),
        |volume| {
            table([(
                "owner",
                volume.owner.and_then(|owner| text(&show_owner(owner))),
            )])
        },
    );
    let deploy = table([
        ("ready_timeout", duration(stack.deploy.ready_timeout)),
        ("soak", duration(stack.deploy.soak)),
        ("drain_timeout", duration(stack.deploy.drain_timeout)),
        ("max_surge", stack.deploy.max_surge.and_then(integer)),
        ("keep_releases", integer(stack.deploy.keep_releases)),
        (
            "pool",
            stack.deploy.pool.and_then(|pool| {
                table([
                    ("connections", integer(pool.connections)),
                    ("reserve", integer(pool.reserve)),
                    ("beside", integer(pool.beside)),
                    ("most", pool.most.and_then(integer)),
                ])
            }),
        ),
        (
            "pre_deploy_backup",
            stack.deploy.pre_deploy_backup.as_ref().and_then(job_name),
        ),
        (
            "restore_backup",
            stack.deploy.restore_backup.as_ref().and_then(job_name),
        ),
    ]);
    let hooks = unless_empty(table([
        ("pre_deploy", some_list(&stack.hooks.pre_deploy, job_name)),
        ("post_deploy", some_list(&stack.hooks.post_deploy, job_name)),
    ]));
    let quickstart = unless_empty(table([
        ("jobs", some_list(&stack.quickstart.jobs, job_name)),
        ("tell", stack.quickstart.tell.as_deref().and_then(text)),
    ]));
    keys([
        ("project", text(stack.project.as_str())),
        ("bases", bases(&stack.bases)),
        ("secrets", secrets),
        ("deploy", deploy),
        ("volumes", volumes),
        (
            "services",
            named(&stack.services, |name| name.as_str(), service),
        ),
        ("jobs", named(&stack.jobs, |name| name.as_str(), job)),
        ("hooks", hooks),
        ("quickstart", quickstart),
        ("notify", stack.notify.as_ref().and_then(notify)),
        ("edge", stack.edge.as_ref().and_then(edge)),
        ("migrations", stack.migrations.as_ref().and_then(migrations)),
        ("backups", stack.backups.as_ref().and_then(backups)),
        ("verify", verify(&stack.verify)),
    ])
    .to_string()
}

fn bases(bases: &Bases) -> Option<Value> {
    let images = named(
        &bases.images,
        |name| name.as_str(),
        |image| {
            table([
                ("registry", image.registry.as_deref().and_then(text)),
                ("recipe", image.recipe.as_ref().and_then(path)),
            ])
        },
    );
    table([
        ("source", word(SOURCES, &bases.source)),
        ("registry_timeout", duration(bases.registry_timeout)),
        ("images", images),
    ])
}

fn service(service: &Service) -> Option<Value> {
    let (image, base, from_source) = match &service.image {
        ImageSource::Build(from_source) => (None, None, build(from_source)),
        ImageSource::Base(base) => (None, text(base.as_str()), None),
        ImageSource::Reference(image) => (template(image), None, None),
    };
    table([
        ("image", image),
        ("base", base),
        ("build", from_source),
        ("replicas", integer(service.replicas)),
        (
            "entrypoint",
            service
                .entrypoint
                .as_ref()
                .and_then(|words| list(words, |word| text(word))),
        ),
        (
            "command",
            service
                .command
                .as_ref()
                .and_then(|words| list(words, |word| text(word))),
        ),
        (
            "environment",
            named(&service.environment, String::as_str, template),
        ),
        ("volumes", some_list(&service.volumes, mount)),
        (
            "ports",
            some_list(&service.ports, |port| text(&show_port(port))),
        ),
        (
            "depends_on",
            some_list(&service.depends_on, |name| text(name.as_str())),
        ),
        (
            "healthcheck",
            unless_empty(healthcheck(&service.healthcheck)),
        ),
        ("tls", service.tls.as_ref().and_then(tls)),
        ("restart", word(RESTARTS, &service.restart)),
        (
            "update_order",
            service
                .update_order
                .and_then(|order| word(UPDATE_ORDERS, &order)),
        ),
        ("stop_grace_period", duration(service.stop_grace_period)),
        ("stop_signal", service.stop_signal.as_deref().and_then(text)),
        ("resources", unless_empty(resources(&service.resources))),
        ("user", service.user.as_deref().and_then(text)),
        ("labels", named(&service.labels, String::as_str, template)),
        ("read_only", boolean(service.read_only)),
        ("tmpfs", some_list(&service.tmpfs, |word| text(word))),
        ("cap_add", some_list(&service.cap_add, |word| text(word))),
        ("cap_drop", some_list(&service.cap_drop, |word| text(word))),
        ("no_new_privileges", boolean(service.no_new_privileges)),
        (
            "events",
            named(&service.events, String::as_str, |regex| text(regex)),
        ),
    ])
}

fn job_name(name: &JobName) -> Option<Value> {
    text(name.as_str())
}

fn job(job: &Job) -> Option<Value> {
    let words = |words: &Option<Vec<String>>| {
        let words = words.as_ref()?;
        list(words, |word| text(word))
    };
    table([
        ("service", text(job.service.as_str())),
        ("entrypoint", words(&job.entrypoint)),
        ("command", words(&job.command)),
        (
            "environment",
            named(&job.environment, String::as_str, template),
        ),
        ("volumes", some_list(&job.volumes, mount)),
        (
            "depends_on",
            some_list(&job.depends_on, |name| text(name.as_str())),
        ),
        ("user", job.user.as_deref().and_then(text)),
        ("timeout", duration(job.timeout)),
    ])
}

fn notify(notify: &Notify) -> Option<Value> {
    table([
        ("webhook", template(&notify.webhook)),
        ("timeout", duration(notify.timeout)),
    ])
}

fn build(build: &Build) -> Option<Value> {
    table([
        ("context", path(&build.context)),
        ("dockerfile", path(&build.dockerfile)),
        ("target", build.target.as_deref().and_then(text)),
        ("args", named(&build.args, String::as_str, template)),
        ("bases", some_list(&build.bases, |name| text(name.as_str()))),
        (
            "uid",
            if build.host_user {
                text("host")
            } else {
                integer(build.uid)
            },
        ),
        ("gid", integer(build.gid)),
    ])
}

fn mount(mount: &Mount) -> Option<Value> {
    let source = match &mount.source {
        MountSource::Volume(name) => name.as_str().to_owned(),
        MountSource::Bind(path) => path.display().to_string(),
    };
    if mount.chown || source.contains(':') || mount.target.contains(':') {
        return table([
            ("source", text(&source)),
            ("target", text(&mount.target)),
            ("read_only", boolean(mount.read_only)),
            ("chown", boolean(mount.chown)),
        ]);
    }
    let mode = if mount.read_only { ":ro" } else { "" };
    text(&format!("{source}:{}{mode}", mount.target))
}

fn healthcheck(healthcheck: &Healthcheck) -> Option<Value> {
    let (http, tcp) = match &healthcheck.probe {
        Some(Probe::Http { port, path }) => (endpoint(*port, path), None),
        Some(Probe::Tcp { port }) => (None, table([("port", integer(*port))])),
        None => (None, None),
    };
    let engine = |value: fn(&EngineHealthcheck) -> Option<Value>| {
        healthcheck.engine.as_ref().and_then(value)
    };
    table([
        ("http", http),
        ("tcp", tcp),
        (
            "test",
            engine(|engine| list(&engine.test, |word| text(word))),
        ),
        ("interval", engine(|engine| duration(engine.interval))),
        ("timeout", engine(|engine| duration(engine.timeout))),
        ("retries", engine(|engine| integer(engine.retries))),
        (
            "start_period",
            engine(|engine| duration(engine.start_period)),
        ),
    ])
}

fn tls(tls: &Tls) -> Option<Value> {
    table([
        ("dir", text(&tls.dir)),
        ("certificate", boolean(tls.certificate)),
        ("names", some_list(&tls.names, |name| text(name))),
        (
            "owner",
            tls.owner.and_then(|owner| text(&show_owner(owner))),
        ),
        ("arguments", some_list(&tls.arguments, |word| text(word))),
        (
            "environment",
            named(&tls.environment, String::as_str, template),
        ),
        (
            "reload",
            tls.reload
                .as_ref()
                .and_then(|words| list(words, |word| text(word))),
        ),
    ])
}

fn resources(resources: &Resources) -> Option<Value> {
    table([
        (
            "memory",
            resources.memory.and_then(|bytes| text(&show_size(bytes))),
        ),
        ("cpus", resources.cpus.map(Value::Float)),
        ("pids", resources.pids.and_then(integer)),
    ])
}

fn edge(edge: &Edge) -> Option<Value> {
    table([
        ("service", text(edge.service.as_str())),
        (
            "entrance",
            edge.entrance.as_ref().and_then(|name| text(name.as_str())),
        ),
        ("upstream", text(edge.upstream.as_str())),
        ("port", integer(edge.port)),
        ("template", path(&edge.template)),
        ("maintenance", edge.maintenance.as_ref().and_then(path)),
        ("volume", text(edge.volume.as_str())),
        ("file", text(&edge.file)),
        ("test", list(&edge.test, |word| text(word))),
        ("reload_signal", text(&edge.reload_signal)),
        (
            "worker_process",
            edge.worker_process.as_deref().and_then(text),
        ),
        (
            "generation",
            endpoint(edge.generation.port, &edge.generation.path),
        ),
        ("public_url", edge.public_url.as_deref().and_then(text)),
    ])
}

fn migrations(migrations: &Migrations) -> Option<Value> {
    table([
        ("service", text(migrations.service.as_str())),
        ("dir", path(&migrations.files.dir)),
        ("database", template(&migrations.database)),
        ("require_engine", boolean(migrations.files.require_engine)),
        ("require_charset", boolean(migrations.files.require_charset)),
        (
            "gaps",
            migrations.files.gaps.and_then(|gaps| word(GAPS, &gaps)),
        ),
    ])
}

fn verify(verify: &Verify) -> Option<Value> {
    let data = verify.data.as_ref().and_then(|data| {
        table([
            ("service", text(data.service.as_str())),
            ("path", text(&data.path)),
        ])
    });
    let web = verify.web.as_ref().and_then(|web| {
        let favicon = web.favicon.as_ref().and_then(|favicon| {
            table([
                ("path", text(&favicon.path)),
                ("width", integer(favicon.width)),
                ("height", integer(favicon.height)),
            ])
        });
        table([
            ("index", text(&web.index)),
            ("place", web.place.as_deref().and_then(text)),
            ("favicon", favicon),
            ("health", web.health.as_deref().and_then(text)),
            ("logged", web.logged.as_deref().and_then(text)),
            (
                "configuration",
                some_list(&web.configuration, |word| text(word)),
            ),
        ])
    });
    table([
        ("startup_budget", duration(verify.startup_budget)),
        ("start_spread", duration(verify.start_spread)),
        ("data", data),
        ("web", web),
        (
            "database",
            verify.database.as_ref().and_then(verify_database),
        ),
        (
            "security",
            verify.security.as_ref().and_then(verify_security),
        ),
        ("mail", verify.mail.as_ref().and_then(verify_mail)),
        (
            "observability",
            verify.observability.as_ref().and_then(verify_observability),
        ),
    ])
}

fn verify_database(database: &VerifyDatabase) -> Option<Value> {
    table([
        ("reserve", integer(database.reserve)),
        ("tls", boolean(database.tls)),
        ("path", database.path.as_deref().and_then(text)),
        ("parallel", integer(database.parallel)),
        ("within", duration(database.within)),
    ])
}

fn verify_security(security: &VerifySecurity) -> Option<Value> {
    let canary = security
        .canary
        .as_ref()
        .and_then(|canary| table([("path", text(&canary.path)), ("body", text(&canary.body))]));
    let rate = security.rate.as_ref().and_then(|rate| {
        table([
            ("path", text(&rate.path)),
            ("requests", integer(rate.requests)),
            ("other", text(&rate.other)),
            ("configured", some_list(&rate.configured, |path| text(path))),
        ])
    });
    let body = security.body.as_ref().and_then(|body| {
        table([
            ("path", text(&body.path)),
            ("replica", integer(body.replica)),
            ("edge", integer(body.edge)),
        ])
    });
    table([
        (
            "root",
            some_list(&security.root, |service| text(service.as_str())),
        ),
        ("canary", canary),
        ("rate", rate),
        ("body", body),
        ("cors", security.cors.as_deref().and_then(text)),
    ])
}

fn backups(backups: &Backups) -> Option<Value> {
    table([
        ("service", text(backups.service.as_str())),
        ("command", list(&backups.command, |word| text(word))),
        ("dir", text(&backups.dir)),
        ("max_age", duration(backups.max_age)),
    ])
}

fn verify_mail(mail: &VerifyMail) -> Option<Value> {
    table([
        ("service", text(mail.service.as_str())),
        ("command", list(&mail.command, |word| text(word))),
        ("catcher", text(mail.catcher.as_str())),
        ("port", integer(mail.port)),
        ("paths", list(&mail.paths, |path| text(path))),
    ])
}

fn verify_observability(observability: &VerifyObservability) -> Option<Value> {
    let metrics = observability.metrics.as_ref().and_then(|metrics| {
        table([
            ("path", text(&metrics.path)),
            ("names", some_list(&metrics.names, |name| text(name))),
        ])
    });
    table([
        ("service", text(observability.service.as_str())),
        ("metrics", metrics),
        (
            "log_keys",
            some_list(&observability.log_keys, |key| text(key)),
        ),
    ])
}

fn endpoint(port: u16, path: &str) -> Option<Value> {
    table([("port", integer(port)), ("path", text(path))])
}

// Each of these gives `None` for what need not be written, so that a table is its list of keys.

fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Option<Value> {
    Some(Value::Table(keys(entries)))
}

fn keys<const N: usize>(entries: [(&str, Option<Value>); N]) -> Table {
    entries
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn unless_empty(table: Option<Value>) -> Option<Value> {
    table.filter(|table| table.as_table().is_none_or(|table| !table.is_empty()))
}

fn named<K, V>(
    map: &BTreeMap<K, V>,
    name: fn(&K) -> &str,
    value: fn(&V) -> Option<Value>,
) -> Option<Value> {
    let entries: Table = map
        .iter()
        .filter_map(|(key, entry)| Some((name(key).to_owned(), value(entry)?)))
        .collect();
    (!entries.is_empty()).then_some(Value::Table(entries))
}

fn list<T>(items: &[T], value: impl Fn(&T) -> Option<Value>) -> Option<Value> {
    Some(Value::Array(items.iter().filter_map(value).collect()))
}

fn some_list<T>(items: &[T], value: impl Fn(&T) -> Option<Value>) -> Option<Value> {
    if items.is_empty() {
        None
    } else {
        list(items, value)
    }
}

/// Text that is no template: a dollar sign in it is only that.
fn text(text: &str) -> Option<Value> {
    Some(Value::String(text.replace('$', "$$")))
}

fn template(text: &Text) -> Option<Value> {
    Some(Value::String(text.template()))
}

fn path(path: impl AsRef<Path>) -> Option<Value> {
    text(&path.as_ref().display().to_string())
}

fn duration(duration: Duration) -> Option<Value> {
    text(&show_duration(duration))
}

/// Every number of a stack fits.
fn integer(number: impl TryInto<i64>) -> Option<Value> {
    number.try_into().ok().map(Value::Integer)
}

fn boolean(switch: bool) -> Option<Value> {
    Some(Value::Boolean(switch))
}

fn word<T: PartialEq>(words: &[(&str, T)], value: &T) -> Option<Value> {
    words
        .iter()
        .find(|(_, candidate)| candidate == value)
        .and_then(|(word, _)| text(word))
}
