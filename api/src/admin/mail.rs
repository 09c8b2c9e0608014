//! `admin mail`: a test letter, the way that every letter goes.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use mysql_async::Conn;

use crate::config::{DatabaseUrl, Smtp, Source};
use crate::mail::{self, Letter};

const EXAMPLES: &str = "\
Examples:
  sysndd-api admin mail --to marie@example.org
      puts a test letter into the queue; whichever replica is free sends it";

/// To whom.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[arg(long, value_name = "ADDRESS")]
    to: String,
}

/// Puts the letter into the queue of the replicas, and answers the number of its job.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let smtp = Smtp::read(&mut source);
    let url = DatabaseUrl::read(&mut source);
    let url = source.finish(url)?;
    if smtp.is_none() {
        bail!("mail is not set up: SYSNDD_SMTP_HOST is not set");
    }
    // One that cannot be written to would only fail later.
    if args.to.parse::<lettre::Address>().is_err() {
        bail!("--to is not an address");
    }
    let mut conn = Conn::new(url.opts())
        .await
        .with_context(|| format!("connecting to {url}"))?;
    let job_id = mail::send_later(&mut conn, &Letter::Test { to: args.to })
        .await
        .context("putting the letter into the queue")?;
    // A farewell that is not heard changes nothing.
    let _ = conn.disconnect().await;
    writeln!(
        std::io::stdout(),
        "job {job_id} sends it; `GET /api/jobs/{job_id}` says how it went"
    )
    .context("printing the answer")?;
    Ok(ExitCode::SUCCESS)
}
