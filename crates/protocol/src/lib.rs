//! What `sysndd-api` says and `sysndd-deploy` reads.
//!
//! Two contracts live here: [`StartupEvent`], one JSON object a line on a replica's standard
//! output, and [`HealthReport`], the body of `GET /health/ready`. Serde types only: this crate
//! does no I/O and knows neither program.

mod event;
mod health;
mod names;

pub use event::{Event, Level, MigrationPath, StartupEvent};
pub use health::{
    DataDir, Database, DatabaseStatus, HealthReport, Lock, Migrations, Pool, ReadyStatus, Smtp,
    SmtpStatus, StartupMigration, Storage, StorageStatus, Workers,
};
pub use names::{ReleaseId, ReplicaName};
