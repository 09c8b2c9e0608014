//! From inside the container, through the engine. Needs nothing in the image but `bash`.

use std::time::Duration;

use super::{
    PROBE_TIMEOUT, ProbeError, Readiness,
    http::{Request, Response},
};
use crate::{docker::Engine, observe::Replica};

/// bash opens TCP connections itself, so that no image has to bring curl along.
const SEND: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
printf '%s' "$2" >&3
[ "$3" = 0 ] || head -c "$3" /dev/zero >&3
exec cat <&3"#;
const CONNECT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
IFS= read -r -n 1 -t 0.05 -u 3 _; [ $? -ne 1 ]"#;

/// The engine starts a process for each question, and the replica has no part in how long that takes.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn send(
    engine: &Engine,
    replica: &Replica,
    port: u16,
    request: &Request<'_>,
) -> Result<Response, ProbeError> {
    let Request { method, path, .. } = request;
    let (head, filler) = request.wire();
    let (port_text, filler) = (port.to_string(), filler.to_string());
    let command = ["bash", "-c", SEND, "probe", &port_text, &head, &filler];
    let output = run(engine, replica, &command, request.within).await?;
    match output.exit_code {
        0 => Response::parse(&output.stdout)
            .ok_or_else(|| ProbeError::Failed(format!("{method} {path}: the answer is not HTTP"))),
        7 => Err(ProbeError::Failed(format!(
            "port {port} refuses connections"
        ))),
        _ => Err(ProbeError::Failed(format!(
            "{method} {path}: {}",
            output.text()
        ))),
    }
}

pub(super) async fn connects(
    engine: &Engine,
    replica: &Replica,
    port: u16,
) -> Result<(), ProbeError> {
    let output = run(
        engine,
        replica,
        &["bash", "-c", CONNECT, "probe", &port.to_string()],
        PROBE_TIMEOUT,
    )
    .await?;
    match output.exit_code {
        0 => Ok(()),
        7 => Err(ProbeError::Failed(format!(
            "port {port} refuses connections"
        ))),
        _ => Err(ProbeError::Failed(format!(
            "port {port} accepts and hangs up"
        ))),
    }
}

/// Runs the engine's own health check now instead of waiting for its next turn.
pub(super) async fn healthcheck(
    engine: &Engine,
    replica: &Replica,
    test: &[String],
) -> Result<Readiness, ProbeError> {
    let words: Vec<&str> = test.iter().map(String::as_str).collect();
    let output = match words.as_slice() {
        ["CMD", command @ ..] => run(engine, replica, command, PROBE_TIMEOUT).await?,
        ["CMD-SHELL", script, ..] => {
            let command = ["/bin/sh", "-c", script];
            run(engine, replica, &command, PROBE_TIMEOUT).await?
        }
        _ => return Ok(Readiness::Unknown),
    };
    Ok(if output.success() {
        Readiness::Ready
    } else {
        Readiness::NotReady(format!(
            "its health check exits with {}: {}",
            output.exit_code,
            output.text()
        ))
    })
}

async fn run(
    engine: &Engine,
    replica: &Replica,
    command: &[&str],
    within: Duration,
) -> Result<crate::docker::ExecOutput, ProbeError> {
    let exec = engine.exec(&replica.container, command);
    match tokio::time::timeout(STARTS_WITHIN + within, exec).await {
        Err(_) => Err(ProbeError::Failed(format!("no answer within {within:?}"))),
        Ok(Err(error)) => Err(ProbeError::Failed(error.to_string())),
        Ok(Ok(output)) => Ok(output),
    }
}
