//! `cargo xtask bench`: figures side by side with Docker Compose, in one run, as ratios.

mod compose;
mod up;

/// Measure against peers, as ratios.
#[derive(clap::Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// Fresh start, nothing to do, and the spread of the replicas' starts
    Up(up::Up),
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Up(bench) => bench.run(),
        }
    }
}
