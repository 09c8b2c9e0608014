//! From inside the container, through the engine. Needs nothing in the image but `bash`.

use super::{PROBE_TIMEOUT, ProbeError, Readiness, http::Response};
use crate::{docker::Engine, observe::Replica};

/// bash opens TCP connections itself, so that no image has to bring curl along.
const GET: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
exec cat <&3"#;
const CONNECT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
IFS= read -r -n 1 -t 0.05 -u 3 _; [ $? -ne 1 ]"#;

pub(super) async fn get(
    engine: &Engine,
    replica: &Replica,
    port: u16,
    path: &str,
) -> Result<Response, ProbeError> {
    let port_text = port.to_string();
    let output = run(
        engine,
        replica,
        &["bash", "-c", GET, "probe", &port_text, path],
    )
    .await?;
    match output.exit_code {
        0 => Response::parse(&output.stdout)
            .ok_or_else(|| ProbeError::Failed(format!("GET {path}: the answer is not HTTP"))),
        7 => Err(ProbeError::Failed(format!(
            "port {port} refuses connections"
        ))),
        _ => Err(ProbeError::Failed(format!("GET {path}: {}", output.text()))),
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
        ["CMD", command @ ..] => run(engine, replica, command).await?,
        ["CMD-SHELL", script, ..] => run(engine, replica, &["/bin/sh", "-c", script]).await?,
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
) -> Result<crate::docker::ExecOutput, ProbeError> {
    let exec = engine.exec(&replica.container, command);
    match tokio::time::timeout(PROBE_TIMEOUT, exec).await {
        Err(_) => Err(ProbeError::Failed(format!(
            "no answer within {PROBE_TIMEOUT:?}"
        ))),
        Ok(Err(error)) => Err(ProbeError::Failed(error.to_string())),
        Ok(Ok(output)) => Ok(output),
    }
}
