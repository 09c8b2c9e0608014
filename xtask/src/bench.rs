//! `cargo xtask bench`: figures side by side with those of peers, in one run, as ratios.

mod api;
mod backup;
mod compose;
mod deploy;
mod migrate;
mod up;
mod watch;

/// Measure against peers, as ratios.
#[derive(clap::Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand)]
enum Kind {
    /// Health, lists and sign-in of one replica and of four, with many rows
    Api(api::Api),
    /// Fresh start, nothing to do, and the spread of the replicas' starts
    Up(up::Up),
    /// Replacements under load, and the way back: failed requests, time, memory
    Deploy(deploy::Deployments),
    /// From a replica's silence to a list without it, and back
    Watch(watch::Watch),
    /// 250 statements on an empty database, and the fast path
    Migrate(migrate::Migrate),
    /// A backup and its restoration, beside `mysqldump | zstd` and `zstd -d | mysql`
    Backup(backup::Backup),
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Api(bench) => bench.run(),
            Kind::Up(bench) => bench.run(),
            Kind::Deploy(bench) => bench.run(),
            Kind::Watch(bench) => bench.run(),
            Kind::Migrate(bench) => bench.run(),
            Kind::Backup(bench) => bench.run(),
        }
    }
}
