//! `scale`: more replicas of the release that runs, or fewer.

use std::time::Instant;

use super::{
    Global,
    deploy::{ImageSource, Order, deploy, preview},
    run::interrupt_token,
    running::Running,
    turn::Wait,
    typed,
    up::UpReport,
};
use crate::{error::Error, exit::Exit, output::Printer, plan::Wish, release::Why};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy scale api=8              eight replicas of what runs; nothing is built
  sysndd-deploy scale api=2 --dry-run    what would be done
  sysndd-deploy up                       the count of sysndd.toml again";

/// Change how many replicas run, and nothing else: the release stays, with its images and its
/// configuration. The next `up` returns to what sysndd.toml says.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Scale {
    /// How many replicas of which service: api=8
    #[arg(required = true, value_name = "SERVICE=N")]
    replicas: Vec<String>,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Scale {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let running = Running::waiting(global, printer, self.wait).await?;
        let asked = running.session.replica_counts(&self.replicas)?;
        let mut replicas = running.counts();
        replicas.extend(asked.clone());
        let order = Order {
            command: typed(),
            images: ImageSource::Recorded {
                manifest: Box::new(running.manifest.clone()),
                seen: running.seen.clone(),
            },
            wish: Wish {
                replicas,
                ..Wish::default()
            },
            why: Why::Deploy,
            message: None,
        };
        let plan = preview(&running.session, &order).await?;
        if self.dry_run {
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        let release = &running.manifest.id;
        if plan.release.as_ref().is_some_and(|new| new != release) {
            return Err(Error::usage(format!(
                "scaling would replace what runs: it is not what {release} was recorded with; a secret changed since, or a service has no replica"
            ))
            .with_hint("`sysndd-deploy up --replicas SERVICE=N` makes a new release with that count"));
        }
        let plan = deploy(&running.session, &order, &interrupt_token()).await?;
        let report = UpReport::new(&running.session, &plan, began).await?;
        report.print(printer);
        for (service, count) in &asked {
            let said = running
                .file
                .services
                .get(service)
                .map(|known| known.replicas);
            if let Some(said) = said.filter(|said| said != count) {
                printer.note(format!(
                    "sysndd.toml says {service} = {said}; the next `up` returns to that"
                ));
            }
        }
        Ok(Exit::Done)
    }
}
