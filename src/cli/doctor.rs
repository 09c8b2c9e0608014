//! `doctor`: what a deployment needs of this machine, and whether it is there.

use std::net::TcpListener;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Global,
    releases::{WithoutImages, without_images},
    session,
};
use crate::{
    config::Stack,
    docker::{Engine, Location},
    error::Error,
    exit::Exit,
    host, images,
    observe::observe,
    output::{Printer, Table},
    release::{self, State},
    tls,
};

/// Engines that the tool is made for; others may work.
const OLDEST: (u32, u32) = (20, 10);
const NEWEST_MAJOR: u32 = 29;
/// Images, build cache and a database of moderate size.
const DISK_BYTES: u64 = 5 << 30;
/// "2GB RAM minimum" of the production requirements.
const MEMORY_BYTES: u64 = 2_000_000_000;

/// Check this machine and its engine. Exit code 1 when something is missing.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Install and start what is missing (Debian packages; needs root)
    #[arg(long)]
    fix: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    verdict: Health,
    observed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warning,
    Missing,
}

impl Doctor {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        if self.fix {
            host::ensure_engine(&global.engine(), |step| printer.say(step)).await?;
        }
        let (engine, engine_finding) = check_engine(global).await;
        let mut findings = vec![engine_finding];
        findings.extend(check_memory(engine.as_ref()));
        findings.extend(check_disk(engine.as_ref()).await);
        match session::load(global) {
            Ok(stack) => {
                findings.push(ok("configuration", format!("{} services", stack.services.len())));
                findings.push(self.check_tools(&stack, printer).await?);
                if let Some(engine) = &engine {
                    findings.extend(check_ports(&stack, engine).await?);
                    findings.extend(check_releases(&stack, engine).await?);
                }
            }
            Err(error) => findings.push(Finding {
                what: "configuration",
                verdict: Health::Missing,
                observed: error.message.lines().next().unwrap_or_default().to_owned(),
                remedy: Some("`sysndd-deploy config check` shows every fault; `quickstart` writes missing secrets".into()),
            }),
        }
        printer.data(&findings, || human(&findings));
        let missing = findings
            .iter()
            .any(|finding| finding.verdict == Health::Missing);
        Ok(match (missing, engine) {
            (_, None) => Exit::EngineUnreachable,
            (true, Some(_)) => Exit::CheckFailed,
            (false, Some(_)) => Exit::Done,
        })
    }

    /// Programs that the recipes of base images need, where no registry has them.
    async fn check_tools(&self, stack: &Stack, printer: Printer) -> Result<Finding, Error> {
        let mut missing = images::missing_tools(&stack.bases);
        if self.fix {
            for tool in &missing {
                printer.say(format!("installing {}", tool.packages.join(" ")));
                host::install(tool.packages)
                    .await
                    .map_err(|e| Error::deploy(e.to_string()))?;
            }
            missing = images::missing_tools(&stack.bases);
        }
        let Some(tool) = missing.first() else {
            return Ok(ok("base images", "all tools for recipes are there".into()));
        };
        Ok(Finding {
            what: "base images",
            verdict: Health::Warning,
            observed: format!(
                "{} is not installed; needed where no registry answers",
                tool.program
            ),
            remedy: Some("sysndd-deploy doctor --fix".into()),
        })
    }
}

fn ok(what: &'static str, observed: String) -> Finding {
    Finding {
        what,
        verdict: Health::Ok,
        observed,
        remedy: None,
    }
}

async fn check_engine(global: &Global) -> (Option<Engine>, Finding) {
    match Engine::connect(&global.engine()).await {
        Err(error) => {
            let finding = Finding {
                what: "engine",
                verdict: Health::Missing,
                observed: error.to_string(),
                remedy: error.hint(),
            };
            (None, finding)
        }
        Ok(engine) => {
            let info = engine.info();
            let observed = format!(
                "{} (API {}) at {}, chosen by {}",
                info.version, info.api_version, info.host, info.source
            );
            let finding = if is_supported(&info.version) {
                ok("engine", observed)
            } else {
                Finding {
                    what: "engine",
                    verdict: Health::Warning,
                    observed,
                    remedy: Some("engines 20.10 to 29 are tested".into()),
                }
            };
            (Some(engine), finding)
        }
    }
}

fn is_supported(version: &str) -> bool {
    let mut numbers = version
        .split(['.', '+', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    found >= OLDEST && found.0 <= NEWEST_MAJOR
}

/// Of this machine, where the engine is on it.
fn check_memory(engine: Option<&Engine>) -> Option<Finding> {
    if engine.is_some_and(|engine| engine.info().location == Location::Remote) {
        return None;
    }
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let bytes = kib * 1024;
    let observed = format!("{} MB", bytes / 1_000_000);
    Some(if bytes >= MEMORY_BYTES {
        ok("memory", observed)
    } else {
        Finding {
            what: "memory",
            verdict: Health::Warning,
            observed,
            remedy: Some("2 GB are the minimum for database and four replicas".into()),
        }
    })
}

/// Free space where a local engine keeps its data.
async fn check_disk(engine: Option<&Engine>) -> Option<Finding> {
    let (directory, free) = host::free_space(engine?).await?;
    let observed = format!("{} GB free in {directory}", free / 1_000_000_000);
    Some(if free >= DISK_BYTES {
        ok("disk", observed)
    } else {
        Finding {
            what: "disk",
            verdict: Health::Warning,
            observed,
            remedy: Some("`sysndd-deploy prune --dry-run` shows what is not needed".into()),
        }
    })
}

/// Whether the releases that one could go back to are whole.
async fn check_releases(stack: &Stack, engine: &Engine) -> Result<Vec<Finding>, Error> {
    let state = match release::read_state(engine, stack)
        .await
        .map_err(Error::from)
    {
        Ok(state) => state,
        Err(error) if error.exit == Exit::EngineUnreachable => return Err(error),
        Err(error) => {
            return Ok(vec![Finding {
                what: "releases",
                verdict: Health::Warning,
                observed: error.message,
                remedy: error.hint,
            }]);
        }
    };
    let mut findings: Vec<Finding> = check_certificates(stack, &state, Utc::now())
        .into_iter()
        .collect();
    if state.releases.is_empty() {
        return Ok(findings);
    }
    let gone = without_images(engine, &state).await?;
    if gone.is_empty() {
        let observed = format!("{} recorded, their images are here", state.releases.len());
        findings.push(ok("releases", observed));
        return Ok(findings);
    }
    let finding = |gone: WithoutImages| Finding {
        what: "releases",
        verdict: Health::Warning,
        observed: gone.to_string(),
        remedy: None,
    };
    findings.extend(gone.into_iter().map(finding));
    Ok(findings)
}

/// The certificate that ends first, of those that the stack asks for.
fn check_certificates(stack: &Stack, state: &State, now: DateTime<Utc>) -> Option<Finding> {
    let asked = stack.services.values().filter(|it| it.tls.is_some());
    let issued = asked.filter_map(|service| state.tls.issued.get(&service.name));
    let (end, service) = issued
        .filter_map(|issued| Some((issued.not_after?, &issued.service)))
        .min()?;
    let observed = format!("that of {service} ends on {}", end.format("%Y-%m-%d"));
    if end > now + tls::WARN_BEFORE {
        return Some(ok("certificates", observed));
    }
    Some(Finding {
        what: "certificates",
        verdict: Health::Warning,
        observed,
        remedy: Some("sysndd-deploy up".into()),
    })
}

/// Host ports of the stack: ours already, or free.
async fn check_ports(stack: &Stack, engine: &Engine) -> Result<Vec<Finding>, Error> {
    if engine.info().location == Location::Remote {
        return Ok(Vec::new());
    }
    let observed = observe(engine, &stack.project, None).await?;
    let ours: Vec<u16> = observed
        .replicas
        .iter()
        .filter(|replica| replica.is_running())
        .flat_map(|replica| replica.ports.iter().map(|port| port.host))
        .collect();
    let wanted = stack.services.values().flat_map(|service| &service.ports);
    Ok(wanted
        .filter(|port| port.host != 0)
        .map(|port| {
            let address = port.host_ip.as_deref().unwrap_or("0.0.0.0");
            if ours.contains(&port.host) {
                ok(
                    "port",
                    format!("{} is published by {}", port.host, stack.project),
                )
            } else if TcpListener::bind((address, port.host)).is_ok() {
                ok("port", format!("{} is free", port.host))
            } else {
                Finding {
                    what: "port",
                    verdict: Health::Missing,
                    observed: format!("{} is taken by another program", port.host),
                    remedy: Some(format!("`ss -ltnp sport = :{}` names it", port.host)),
                }
            }
        })
        .collect())
}

fn human(findings: &[Finding]) -> String {
    let mut table = Table::new(&["", "WHAT", "OBSERVED", "REMEDY"]);
    for finding in findings {
        let verdict = match finding.verdict {
            Health::Ok => console::style("ok").green(),
            Health::Warning => console::style("warning").yellow(),
            Health::Missing => console::style("missing").red(),
        };
        table.row([
            verdict.to_string(),
            finding.what.to_owned(),
            finding.observed.clone(),
            finding.remedy.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::is_supported;

    #[test]
    fn engines_from_20_10_to_29_are_supported() {
        for version in ["20.10.24+dfsg1", "28.5.2", "29.0.0-rc.1"] {
            assert!(is_supported(version), "{version}");
        }
        for version in ["19.03.15", "30.0.0", "unknown"] {
            assert!(!is_supported(version), "{version}");
        }
    }
}
