//! A service in the words of the Compose file. All text is quoted here, so that the template cannot
//! get it wrong; a dollar sign is doubled, since Compose would take it for a reference.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Serialize;
use sysndd_protocol::ReplicaName;

use super::{Compose, ComposeError};
use crate::{
    config::{
        self, Build, Edge, Healthcheck, ImageSource, Late, Mount, MountSource, Part, Port, Probe,
        Protocol, Restart, Text,
    },
    docker::labels,
    edge, images, plan,
};

/// Asks as the deploy tool does from inside a container: with nothing but `bash`.
const GET: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
read -r _ status _ <&3 && [[ $status == 2* ]]"#;
const CONNECT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
IFS= read -r -n 1 -t 0.05 -u 3 _; [ $? -ne 1 ]"#;
const WRITE: &str = r#"printf '%s' "$UPSTREAM_LIST" > "$UPSTREAM_FILE""#;

/// What the engine's checks are where the stack has none of its own.
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);
const RETRIES: u32 = 3;

/// Of everything that is absent, nothing is written.
#[derive(Serialize, Default)]
pub(super) struct Service {
    pub(super) key: String,
    comment: Option<String>,
    image: String,
    build: Option<BuildView>,
    entrypoint: Option<String>,
    command: Option<String>,
    environment: Vec<Entry>,
    labels: Vec<Entry>,
    user: Option<String>,
    restart: String,
    replicas: Option<u32>,
    memory: Option<String>,
    cpus: Option<String>,
    pids: Option<u32>,
    read_only: bool,
    tmpfs: Vec<String>,
    cap_add: Vec<String>,
    cap_drop: Vec<String>,
    no_new_privileges: bool,
    no_network: bool,
    stop_signal: Option<String>,
    stop_grace_period: Option<String>,
    ports: Vec<PortView>,
    mounts: Vec<MountView>,
    healthcheck: Option<HealthView>,
    depends_on: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Serialize)]
struct BuildView {
    context: String,
    dockerfile: String,
    target: Option<String>,
    args: Vec<Entry>,
}

#[derive(Serialize)]
struct PortView {
    target: u16,
    published: Option<String>,
    host_ip: Option<String>,
    protocol: &'static str,
}

#[derive(Serialize)]
struct MountView {
    bind: bool,
    source: String,
    target: String,
    read_only: bool,
}

#[derive(Serialize)]
struct HealthView {
    test: String,
    interval: String,
    timeout: String,
    retries: u32,
    start_period: String,
}

/// One service of the stack.
pub(super) fn service(
    compose: &Compose<'_>,
    service: &config::Service,
) -> Result<Service, ComposeError> {
    let at = |table: &str| format!("services.{}.{table}", service.name);
    let (image, build) = image(compose, service)?;
    let mut labels = entries(&service.labels, &at("labels"))?;
    labels.extend(own_labels(service));
    Ok(Service {
        key: service.name.to_string(),
        image,
        build,
        entrypoint: service.entrypoint.as_deref().map(words),
        command: service.command.as_deref().map(words),
        environment: entries(&service.environment, &at("environment"))?,
        labels,
        user: service.user.as_deref().map(quoted),
        restart: quoted(match service.restart {
            Restart::No => "no",
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
            Restart::UnlessStopped => "unless-stopped",
        }),
        replicas: Some(service.replicas),
        memory: service
            .resources
            .memory
            .map(|bytes| quoted(&format!("{bytes}b"))),
        cpus: service
            .resources
            .cpus
            .map(|cores| quoted(&cores.to_string())),
        pids: service.resources.pids,
        read_only: service.read_only,
        tmpfs: all_quoted(&service.tmpfs),
        cap_add: all_quoted(&service.cap_add),
        cap_drop: all_quoted(&service.cap_drop),
        no_new_privileges: service.no_new_privileges,
        stop_signal: service.stop_signal.as_deref().map(quoted),
        stop_grace_period: Some(duration(service.stop_grace_period)),
        ports: service.ports.iter().map(port).collect(),
        mounts: service.volumes.iter().map(mount).collect(),
        healthcheck: health(compose, &service.healthcheck),
        depends_on: depends_on(compose, service),
        ..Service::default()
    })
}

/// What writes the edge's upstream list before the edge starts; nothing without an edge.
///
/// The list has one name, that of the service: Docker's DNS answers with all of its replicas, and the
/// edge looks again every second. Compose can put a file into a container too, but not into one whose
/// root is read-only.
pub(super) fn upstream_writer(compose: &Compose<'_>) -> Result<Option<Service>, ComposeError> {
    let Some(edge) = &compose.stack.edge else {
        return Ok(None);
    };
    let front = &compose.stack.services[&edge.service];
    let mount = list_mount(edge, front);
    let target = mount.map(|mount| mount.target.as_str()).unwrap_or_default();
    let servers = vec![ReplicaName::new(edge.upstream.as_str())];
    let list = plan::Upstream::of(edge, compose.edge_template, servers, None);
    let text = edge::render(edge, compose.edge_template, &list)?;
    let (image, build) = image(compose, front)?;
    Ok(Some(Service {
        key: writer_name(compose, edge),
        comment: Some(format!(
            "Writes the list by which {} proxies to {}, and ends.",
            edge.service, edge.upstream
        )),
        image,
        build,
        entrypoint: Some(words(&["sh", "-c", WRITE])),
        command: Some("[]".to_owned()),
        environment: vec![
            entry("UPSTREAM_FILE", quoted(&format!("{target}/{}", edge.file))),
            entry("UPSTREAM_LIST", block(&text)),
        ],
        user: front.user.as_deref().map(quoted),
        restart: quoted("no"),
        read_only: true,
        cap_drop: vec![quoted("ALL")],
        no_new_privileges: true,
        no_network: true,
        mounts: mount.map(self::mount).into_iter().collect(),
        ..Service::default()
    }))
}

/// Where the edge's service mounts the volume of the list.
fn list_mount<'a>(edge: &Edge, front: &'a config::Service) -> Option<&'a Mount> {
    let source = MountSource::Volume(edge.volume.clone());
    front.volumes.iter().find(|mount| mount.source == source)
}

fn writer_name(compose: &Compose<'_>, edge: &Edge) -> String {
    let mut name = format!("{}-upstream", edge.service);
    while compose
        .stack
        .services
        .keys()
        .any(|key| key.as_str() == name)
    {
        name.push_str("-list");
    }
    name
}

fn image(
    compose: &Compose<'_>,
    service: &config::Service,
) -> Result<(String, Option<BuildView>), ComposeError> {
    Ok(match &service.image {
        ImageSource::Base(base) => (quoted(&base_reference(compose, base)?), None),
        ImageSource::Reference(text) => {
            let at = format!("services.{}.image", service.name);
            (quoted_text(text, &at)?.unwrap_or_default(), None)
        }
        ImageSource::Build(source) => {
            let name = match compose.images.get(&service.name) {
                Some(reference) => reference.clone(),
                None => format!(
                    "{}:{}",
                    plan::image_name(compose.stack, &service.name),
                    labels::COMPOSE
                ),
            };
            let at = format!("services.{}.build.args", service.name);
            (quoted(&name), Some(build(compose, source, &at)?))
        }
    })
}

fn build(compose: &Compose<'_>, build: &Build, at: &str) -> Result<BuildView, ComposeError> {
    let mut args: BTreeMap<String, String> = BTreeMap::new();
    for base in &build.bases {
        let reference = base_reference(compose, base)?;
        args.insert(
            quoted(&images::image_argument(base.as_str())),
            quoted(&reference),
        );
    }
    args.insert(quoted("UID"), quoted(&build.uid.to_string()));
    args.insert(quoted("GID"), quoted(&build.gid.to_string()));
    let written = entries(&build.args, at)?;
    args.extend(written.into_iter().map(|entry| (entry.key, entry.value)));
    Ok(BuildView {
        context: path(compose, &build.context),
        dockerfile: quoted(&build.dockerfile.display().to_string()),
        target: build.target.as_deref().map(quoted),
        args: args
            .into_iter()
            .map(|(key, value)| entry(&key, value))
            .collect(),
    })
}

fn base_reference(compose: &Compose<'_>, base: &config::BaseName) -> Result<String, ComposeError> {
    let here = compose.bases.get(base);
    let known = || compose.stack.bases.images.get(base)?.registry.as_ref();
    let found = here.or_else(known).cloned();
    found.ok_or_else(|| ComposeError::NoBase(base.clone()))
}

/// Relative to the file where it is below it.
fn path(compose: &Compose<'_>, path: &Path) -> String {
    let whole: std::path::PathBuf = compose.stack.root.join(path).components().collect();
    match whole.strip_prefix(compose.directory) {
        Ok(below) => quoted(&format!("./{}", below.display())),
        Err(_) => quoted(&whole.display().to_string()),
    }
}

/// By which `verify` finds the replicas. Number and configuration are in Compose's own labels.
fn own_labels(service: &config::Service) -> Vec<Entry> {
    vec![
        entry(labels::PROJECT, "\"${COMPOSE_PROJECT_NAME}\"".to_owned()),
        entry(labels::SERVICE, quoted(service.name.as_str())),
        entry(labels::RELEASE, quoted(labels::COMPOSE)),
        entry(labels::RUN, quoted(labels::COMPOSE)),
    ]
}

fn port(port: &Port) -> PortView {
    PortView {
        target: port.container,
        // 0 lets the engine pick one, and so does no word of it.
        published: (port.host != 0).then(|| quoted(&port.host.to_string())),
        host_ip: port.host_ip.as_deref().map(quoted),
        protocol: match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
    }
}

fn mount(mount: &Mount) -> MountView {
    let (bind, source) = match &mount.source {
        MountSource::Volume(name) => (false, name.to_string()),
        MountSource::Bind(path) => (true, path.display().to_string()),
    };
    MountView {
        bind,
        source: quoted(&source),
        target: quoted(&mount.target),
        read_only: mount.read_only,
    }
}

fn health(compose: &Compose<'_>, check: &Healthcheck) -> Option<HealthView> {
    if let Some(engine) = &check.engine {
        return Some(HealthView {
            test: words(&engine.test),
            interval: duration(engine.interval),
            timeout: duration(engine.timeout),
            retries: engine.retries,
            start_period: duration(engine.start_period),
        });
    }
    let command = |script: &str, arguments: &[String]| {
        let mut command = vec!["CMD".into(), "bash".into(), "-c".into(), script.to_owned()];
        command.push("probe".into());
        command.extend_from_slice(arguments);
        words(&command)
    };
    let test = match check.probe.as_ref()? {
        Probe::Http { port, path } => command(GET, &[port.to_string(), path.clone()]),
        Probe::Tcp { port } => command(CONNECT, &[port.to_string()]),
    };
    Some(HealthView {
        test,
        interval: duration(INTERVAL),
        timeout: duration(TIMEOUT),
        retries: RETRIES,
        start_period: duration(compose.stack.deploy.ready_timeout),
    })
}

fn depends_on(compose: &Compose<'_>, service: &config::Service) -> Vec<Entry> {
    let mut conditions: Vec<Entry> = service
        .depends_on
        .iter()
        .map(|on| {
            let check = &compose.stack.services[on].healthcheck;
            let asked = check.engine.is_some() || check.probe.is_some();
            let condition = if asked {
                "service_healthy"
            } else {
                "service_started"
            };
            entry(on.as_str(), condition.to_owned())
        })
        .collect();
    if let Some(edge) = &compose.stack.edge
        && edge.service == service.name
    {
        let writer = writer_name(compose, edge);
        conditions.push(entry(&writer, "service_completed_successfully".to_owned()));
    }
    conditions
}

fn entry(key: &str, value: String) -> Entry {
    Entry {
        key: key.to_owned(),
        value,
    }
}

/// What only a container knows of itself is left out: Compose cannot say it.
fn entries(map: &BTreeMap<String, Text>, at: &str) -> Result<Vec<Entry>, ComposeError> {
    let mut entries = Vec::new();
    for (key, text) in map {
        if let Some(value) = quoted_text(text, &format!("{at}.{key}"))? {
            entries.push(Entry {
                key: quoted(key),
                value,
            });
        }
    }
    Ok(entries)
}

/// Secrets as references; `None` for what names the replica.
fn quoted_text(text: &Text, at: &str) -> Result<Option<String>, ComposeError> {
    let mut written = String::new();
    for part in text.parts() {
        match part {
            Part::Hidden(_) => return Err(ComposeError::WrittenOut(at.to_owned())),
            Part::Late(Late::Replica | Late::Pool) => return Ok(None),
            Part::Late(Late::Release) => written.push_str(labels::COMPOSE),
            Part::Variable {
                name, secret: true, ..
            } => written.push_str(&format!("${{{name}:?{name} is not set}}")),
            Part::Literal(text) | Part::Variable { value: text, .. } => {
                written.push_str(&text.replace('$', "$$"));
            }
        }
    }
    Ok(Some(in_quotes(&written)))
}

/// Text that holds no reference.
pub(super) fn quoted(text: &str) -> String {
    in_quotes(&text.replace('$', "$$"))
}

fn all_quoted(list: &[String]) -> Vec<String> {
    list.iter().map(|text| quoted(text)).collect()
}

fn words<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// A JSON string is a YAML string too.
fn in_quotes(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Lines as they are, indented by two more than the key of an `environment`.
fn block(text: &str) -> String {
    let mut block = "|2".to_owned();
    for line in text.replace('$', "$$").trim_end().lines() {
        block.push('\n');
        if !line.is_empty() {
            block.push_str("        ");
            block.push_str(line);
        }
    }
    block
}

fn duration(duration: Duration) -> String {
    quoted(&match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    })
}
