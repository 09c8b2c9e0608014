//! `build`: the images of the services that are built from source.

use std::time::Instant;

use serde::Serialize;

use super::{Global, images, run::interrupt_token, session::Session};
use crate::{
    config::{ImageSource, ServiceName},
    error::Error,
    exit::Exit,
    images::Outcome,
    output::{Printer, seconds},
};

/// Build the images, base images first. What did not change is not built again.
#[derive(Debug, clap::Args)]
pub(super) struct Build {
    /// Only these services
    services: Vec<String>,
    /// Run every step again
    #[arg(long)]
    no_cache: bool,
}

#[derive(Debug, Serialize)]
struct BuildReport {
    schema: &'static str,
    duration_ms: u128,
    images: Vec<ImageReport>,
}

#[derive(Debug, Serialize)]
struct ImageReport {
    service: ServiceName,
    image: String,
    reference: String,
    built: bool,
    size_bytes: u64,
    duration_ms: u128,
}

impl Build {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let session = Session::open(global, printer).await?;
        let services = self.services(&session)?;
        let interrupt = interrupt_token();
        let work = async {
            session.refuse_host_user()?;
            let bases = images::bases(&session).await?;
            let mut reports = Vec::new();
            for service in services {
                let image = images::build(&session, &service, &bases, self.no_cache).await?;
                reports.push(ImageReport {
                    service,
                    image: image.id.to_string(),
                    reference: image.reference,
                    built: image.outcome == Outcome::Built,
                    size_bytes: image.size,
                    duration_ms: image.took.as_millis(),
                });
            }
            Ok::<_, Error>(reports)
        };
        let reports = tokio::select! {
            () = interrupt.cancelled() => return Err(Error::new(Exit::Interrupted, "interrupted")),
            reports = work => reports?,
        };
        let report = BuildReport {
            schema: "sysndd-deploy/build/1",
            duration_ms: began.elapsed().as_millis(),
            images: reports,
        };
        printer.data(&report, || {
            let lines = report.images.iter().map(|image| {
                let how = if image.built { "built" } else { "unchanged" };
                format!(
                    "{} {how}, {} MB\n",
                    image.reference,
                    image.size_bytes / 1_000_000
                )
            });
            lines
                .chain([format!("done in {}\n", seconds(began.elapsed()))])
                .collect()
        });
        Ok(Exit::Done)
    }

    fn services(&self, session: &Session) -> Result<Vec<ServiceName>, Error> {
        let built: Vec<ServiceName> = session
            .stack
            .services
            .values()
            .filter(|service| matches!(service.image, ImageSource::Build(_)))
            .map(|service| service.name.clone())
            .collect();
        if self.services.is_empty() {
            return Ok(built);
        }
        let wanted = self.services.iter().map(|name| {
            built
                .iter()
                .find(|service| service.as_str() == name)
                .cloned()
                .ok_or_else(|| {
                    let names: Vec<&str> = built.iter().map(ServiceName::as_str).collect();
                    Error::usage(format!("{name} is not a service that is built"))
                        .with_hint(format!("built are {}", names.join(", ")))
                })
        });
        wanted.collect()
    }
}
