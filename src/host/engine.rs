//! A Docker Engine on this machine: found, or installed and started.

use std::{fs, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::Instant};

use super::packages::{self, PackageError};
use crate::docker::{Engine, EngineChoice, EngineError, Source};

const PACKAGES: [&str; 2] = ["docker.io", "iptables"];
const LOG: &str = "/var/log/dockerd.log";
const PID_FILE: &str = "/var/run/docker.pid";
/// A cold engine with containers to restart takes seconds; one that needs longer has a fault.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);
/// A service manager that can start an engine has done so by then.
const SERVICE_ANSWERS_WITHIN: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The group of all containers where systemd does not manage them, and its weight among the processes of
/// the machine; by control groups of version 1 and 2.
const WEIGHTS: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup/cpu/docker", "cpu.shares", "16384"),
    ("/sys/fs/cgroup/docker", "cpu.weight", "1600"),
];

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineSetupError {
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("{0}\nthe engine was chosen by {1}, so none is installed here")]
    ChosenElsewhere(EngineError, Source),
    #[error(transparent)]
    NotToldWhich(EngineError),
    #[error("starting an engine needs root")]
    NotRoot,
    #[error("`dockerd` was started but does not answer; the end of {LOG}:\n{log}")]
    Silent { log: String },
    #[error("starting `dockerd`: {0}")]
    Start(std::io::Error),
}

/// The engine of this machine. Where none answers, one is installed and started, and `say` is told.
pub(crate) async fn ensure_engine(
    choice: &EngineChoice,
    say: impl Fn(&str),
) -> Result<Engine, EngineSetupError> {
    let unreachable = match Engine::connect(choice).await {
        Ok(engine) => return Ok(engine),
        Err(error) => error,
    };
    match choice.endpoint().map(|endpoint| endpoint.source) {
        Ok(Source::Default) => {}
        Ok(chosen) => return Err(EngineSetupError::ChosenElsewhere(unreachable, chosen)),
        Err(error) => return Err(EngineSetupError::NotToldWhich(error)),
    }
    if !packages::is_installed("dockerd") {
        say("installing a Docker Engine (packages docker.io, iptables)");
        packages::install(&PACKAGES).await?;
    }
    if !packages::is_root() {
        return Err(EngineSetupError::NotRoot);
    }
    // Installing the package starts it on most machines.
    if let Some(engine) = answers(Duration::from_secs(1)).await {
        return Ok(engine);
    }
    say("starting the Docker Engine");
    if !has_systemd() {
        weigh_containers();
    }
    if start_as_service().await
        && let Some(engine) = answers(SERVICE_ANSWERS_WITHIN).await
    {
        return Ok(engine);
    }
    start_by_hand().await?;
    answers(ANSWERS_WITHIN)
        .await
        .ok_or_else(|| EngineSetupError::Silent {
            log: tail(Path::new(LOG)),
        })
}

async fn answers(within: Duration) -> Option<Engine> {
    let deadline = Instant::now() + within;
    loop {
        if let Ok(engine) = Engine::connect(&EngineChoice::default()).await {
            return Some(engine);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// By the machine's service manager, so that it also comes back after a reboot.
async fn start_as_service() -> bool {
    let command: &[&str] = if has_systemd() {
        &["systemctl", "start", "docker"]
    } else {
        &["service", "docker", "start"]
    };
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    status.is_ok_and(|status| status.success())
}

fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// systemd gives each container a weight of its own. Without it all containers together weigh as much
/// as one process beside them: on a busy machine a build, or the engine's own work, would keep every
/// replica waiting for seconds.
fn weigh_containers() {
    for (group, file, weight) in WEIGHTS {
        let root = Path::new(group).parent();
        if root.is_some_and(|root| root.join("cgroup.procs").exists()) {
            // The engine works without, only less evenly.
            let _ = fs::create_dir_all(group)
                .and_then(|()| fs::write(Path::new(group).join(file), weight));
        }
    }
}

/// Where no service manager can: as a process of its own session, which outlives this one.
async fn start_by_hand() -> Result<(), EngineSetupError> {
    remove_stale_pid_file();
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(LOG)
        .map_err(EngineSetupError::Start)?;
    let errors = log.try_clone().map_err(EngineSetupError::Start)?;
    let status = Command::new("setsid")
        .args(["--fork", "dockerd"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .status()
        .await
        .map_err(EngineSetupError::Start)?;
    if status.success() {
        Ok(())
    } else {
        Err(EngineSetupError::Start(std::io::Error::other(
            status.to_string(),
        )))
    }
}

/// After a crash the file names a process that is gone, or by now another one: dockerd would refuse.
fn remove_stale_pid_file() {
    let Ok(text) = fs::read_to_string(PID_FILE) else {
        return;
    };
    let command = fs::read_to_string(format!("/proc/{}/comm", text.trim())).unwrap_or_default();
    if command.trim() != "dockerd" {
        // If it cannot be removed, dockerd itself says so in its log.
        let _ = fs::remove_file(PID_FILE);
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
