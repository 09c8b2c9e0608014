//! The edge: rendering the upstream list, putting it into force, seeing that it is.

mod maintenance;

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;
use sysndd_protocol::ReplicaName;
use tera::{Context, Tera};

pub(crate) use maintenance::{read_maintenance, write_maintenance};

use crate::{
    config::{Edge, Stack},
    docker::{ArchiveEntry, Engine, EngineError},
    observe::Replica,
    plan::Upstream,
    points::point,
    probe::Prober,
};

/// nginx takes a new list within milliseconds; longer means that it ignored the signal.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Listing processes costs the engine more than a request costs the edge.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Docker's own DNS server, inside every user-defined network.
const RESOLVER: &str = "127.0.0.11";

/// Why the edge does not have its list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeError {
    #[error("template {file}: {cause}")]
    Template { file: String, cause: String },
    #[error("{signal} cannot be sent to the edge: {cause}")]
    Signal { signal: String, cause: String },
    #[error("the edge refuses its new upstream list and keeps the old one:\n{0}")]
    Refused(String),
    #[error(
        "the edge did not take generation {generation} into force within {IN_FORCE_WITHIN:?}; it has {in_force}"
    )]
    NotInForce { generation: u64, in_force: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

#[derive(Serialize)]
struct Server<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct UpstreamName<'a> {
    name: &'a str,
    port: u16,
}

/// Renders the list. Pure: `template` is the text of the file that `edge` names.
pub(crate) fn render(edge: &Edge, template: &str, list: &Upstream) -> Result<String, EdgeError> {
    let fault = |error: tera::Error| EdgeError::Template {
        file: edge.template.display().to_string(),
        cause: chain(&error),
    };
    let mut tera = Tera::default();
    tera.add_raw_template("upstream", template).map_err(fault)?;
    let servers: Vec<Server> = list
        .servers
        .iter()
        .map(|server| Server {
            name: server.as_str(),
        })
        .collect();
    let mut context = Context::new();
    context.insert("generation", &list.generation);
    context.insert(
        "upstream",
        &UpstreamName {
            name: edge.upstream.as_str(),
            port: edge.port,
        },
    );
    context.insert("servers", &servers);
    context.insert("resolver", RESOLVER);
    context.insert("maintenance", &list.maintenance);
    tera.render("upstream", &context).map_err(fault)
}

/// Writes the list into the edge's volume; works on a container that has not started.
pub(crate) async fn write(
    engine: &Engine,
    stack: &Stack,
    edge: &Edge,
    container: &str,
    content: &str,
) -> Result<(), EngineError> {
    let directory = directory(stack, edge);
    // The file is read by the edge's own user, whoever that is.
    let file = ArchiveEntry::File {
        path: &edge.file,
        content: content.as_bytes(),
        mode: 0o644,
        uid: 0,
        gid: 0,
    };
    engine.put_archive(container, &directory, &[file]).await
}

/// Puts a list into force at a running edge: write, test, reload, wait for the generation. A list
/// that fails the test is taken back, and the old one stays in force.
pub(crate) async fn reload(
    engine: &Engine,
    prober: &Prober,
    stack: &Stack,
    edge: &Edge,
    replica: &Replica,
    content: &str,
    generation: u64,
) -> Result<Workers, EdgeError> {
    let container = &replica.container;
    let before = read(engine, stack, edge, container).await?;
    write(engine, stack, edge, container, content).await?;
    point("the upstream list is written");

    let test: Vec<&str> = edge.test.iter().map(String::as_str).collect();
    let tested = engine.exec(container, &test).await?;
    if !tested.success() {
        if let Some(before) = before {
            write(engine, stack, edge, container, &before).await?;
        }
        return Err(EdgeError::Refused(tested.text()));
    }

    let old = workers(engine, edge, container).await?;
    signal(engine, container, &edge.reload_signal).await?;
    point("the edge is told to reload");
    let deadline = tokio::time::Instant::now() + IN_FORCE_WITHIN;
    loop {
        let in_force = generation_in_force(prober, edge, replica).await;
        if in_force == Some(generation) {
            point("the upstream list is in force");
            return Ok(old);
        }
        if tokio::time::Instant::now() >= deadline {
            let in_force = in_force.map_or_else(|| "none".to_owned(), |other| other.to_string());
            return Err(EdgeError::NotInForce {
                generation,
                in_force,
            });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Signals process 1 of a container from inside. Through the engine's own call it would count as
/// stopped by hand: `unless-stopped` would not start it again when it ends some day (seen with
/// 20.10).
async fn signal(engine: &Engine, container: &str, signal: &str) -> Result<(), EdgeError> {
    let name = signal.trim_start_matches("SIG");
    let command = ["sh", "-c", "kill -s \"$1\" 1", "signal", name];
    let sent = engine.exec(container, &command).await?;
    if sent.success() {
        Ok(())
    } else {
        Err(EdgeError::Signal {
            signal: signal.to_owned(),
            cause: sent.text(),
        })
    }
}

/// Numbers of the processes that answer requests.
pub(crate) type Workers = BTreeSet<u32>;

async fn workers(engine: &Engine, edge: &Edge, container: &str) -> Result<Workers, EngineError> {
    let Some(worker) = &edge.worker_process else {
        return Ok(Workers::new());
    };
    let processes = engine.processes(container).await?.into_iter();
    let workers = processes.filter(|(_, title)| title.contains(worker));
    Ok(workers.map(|(number, _)| number).collect())
}

/// Waits until the workers of before a reload have finished what they began under the older list, at
/// most `timeout`. What is not finished then is cut off with its replica; the operator gave it that
/// long.
///
/// By number, not by what they call themselves: the new list is in force some milliseconds before an
/// old worker hears that it is one, and until then it takes requests.
pub(crate) async fn drain(
    engine: &Engine,
    edge: &Edge,
    replica: &ReplicaName,
    old: &Workers,
    timeout: Duration,
) -> Result<(), EngineError> {
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        let left = workers(engine, edge, replica.as_str()).await?;
        let over = tokio::time::Instant::now() >= deadline;
        if over || left.is_disjoint(old) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The list as it stands in the edge's volume.
pub(crate) async fn read(
    engine: &Engine,
    stack: &Stack,
    edge: &Edge,
    container: &str,
) -> Result<Option<String>, EngineError> {
    let path = format!("{}/{}", directory(stack, edge), edge.file);
    let content = engine.read_file(container, &path).await?;
    Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

/// Generation of the list that the edge serves by; `None` when it does not say.
pub(crate) async fn generation_in_force(
    prober: &Prober,
    edge: &Edge,
    replica: &Replica,
) -> Option<u64> {
    let answer = prober
        .get(replica, edge.generation.port, &edge.generation.path)
        .await
        .ok()?;
    std::str::from_utf8(&answer.body).ok()?.trim().parse().ok()
}

/// Generation of the list that the edge serves by, when the same stands in its volume. A run that was
/// cut off may have written another, by which the edge would start some day.
pub(crate) async fn generation(
    engine: &Engine,
    prober: &Prober,
    stack: &Stack,
    edge: &Edge,
    replica: &Replica,
) -> Option<u64> {
    let (in_force, written) = tokio::join!(
        generation_in_force(prober, edge, replica),
        read(engine, stack, edge, &replica.container),
    );
    let (in_force, written) = (in_force?, written.ok()??);
    written.contains(&in_force.to_string()).then_some(in_force)
}

/// Where the edge's service mounts the volume of the list.
fn directory(stack: &Stack, edge: &Edge) -> String {
    stack.services[&edge.service]
        .volumes
        .iter()
        .find(|mount| mount.source == crate::config::MountSource::Volume(edge.volume.clone()))
        .map_or_else(
            || unreachable!("validated: the edge's service mounts the edge's volume"),
            |mount| mount.target.clone(),
        )
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Endpoint, ServiceName, VolumeName};

    fn edge() -> Edge {
        Edge {
            service: ServiceName::new("web"),
            entrance: None,
            upstream: ServiceName::new("api"),
            port: 8080,
            template: "upstream.conf.tera".into(),
            maintenance: None,
            volume: VolumeName::new("edge"),
            file: "upstream.conf".into(),
            test: Vec::new(),
            reload_signal: "SIGHUP".into(),
            worker_process: None,
            generation: Endpoint {
                port: 8081,
                path: "/generation".into(),
            },
            public_url: None,
        }
    }

    #[test]
    fn the_shipped_list_divides_requests_into_shares_that_nginx_can_read() {
        let template = include_str!("../../templates/upstream.conf.tera");
        for count in [0_u32, 1, 2, 3, 7, 16, 17, 99] {
            let list = Upstream {
                generation: 7,
                maintenance: None,
                servers: (0..count)
                    .map(|number| ReplicaName::new(format!("api-{number}")))
                    .collect(),
            };
            let text = render(&edge(), template, &list).unwrap();
            let shares: Vec<&str> = text
                .lines()
                .filter_map(|line| line.trim().split_once("% "))
                .map(|(share, _)| share)
                .collect();
            assert_eq!(shares.len(), count.saturating_sub(1) as usize, "{text}");
            for share in &shares {
                let decimals = share
                    .split_once('.')
                    .map_or(0, |(_, decimals)| decimals.len());
                assert!(decimals <= 2, "{share} of {count}");
            }
            let sum: f64 = shares
                .iter()
                .map(|share| share.parse::<f64>().unwrap())
                .sum();
            assert!(sum < 100.0, "{sum} of {count}");
        }
    }
}
