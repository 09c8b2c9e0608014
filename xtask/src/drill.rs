//! `cargo xtask drill`: the same thing many times, since a race that is won once proves nothing.

mod backup;
mod deploy;
mod difference;
mod eventually;
mod jobs;
mod migrate;
mod random;
mod start;

pub(crate) use backup::BackupDrill;
pub(crate) use deploy::DeployDrill;
pub(crate) use jobs::Jobs;
pub(crate) use migrate::Migrate;

/// Repeat a fault or a start many times.
#[derive(clap::Args)]
pub(crate) struct Drill {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// Fresh starts on an empty database: exactly one applier each time
    Start(start::Start),
    /// Appliers of migrations that die, hang and lose their database, in real containers
    Migrate(migrate::Migrate),
    /// Kill the program while it deploys and rolls back, under load
    Deploy(DeployDrill),
    /// Replicas, database and storage that die while a backup is made or brought back
    Backup(BackupDrill),
    /// Jobs while the replicas that run them are killed and drained at random
    Jobs(jobs::Jobs),
}

impl Drill {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Start(drill) => drill.run(),
            Kind::Migrate(drill) => drill.run(),
            Kind::Deploy(drill) => drill.run(),
            Kind::Backup(drill) => drill.run(),
            Kind::Jobs(drill) => drill.run(),
        }
    }
}
