//! The configuration: one struct per concern, read from the environment.
//!
//! Everything is checked before anything is touched, and all faults are reported at once. No
//! `Debug` or `Display` here shows a secret.

mod accounts;
mod backups;
mod database;
mod fault;
mod identity;
mod jobs;
mod limits;
mod migrations;
mod server;
mod smtp;
mod source;
mod storage;
mod telemetry;
#[cfg(test)]
mod tests;
mod weak;

use std::path::PathBuf;

pub(crate) use accounts::{Accounts, PublicUrl, SecretKey};
pub(crate) use backups::{BackupMail, Backups, Keep};
pub(crate) use database::{Database, DatabaseUrl};
pub(crate) use fault::Fault;
pub(crate) use identity::Identity;
pub(crate) use jobs::Jobs;
pub(crate) use limits::Limits;
pub(crate) use migrations::Migrations;
pub(crate) use server::Server;
pub(crate) use smtp::{Smtp, SmtpTls};
pub(crate) use source::{Faults, Source};
pub(crate) use storage::{S3, Storage};
pub(crate) use telemetry::Telemetry;
pub(crate) use weak::weakness;

/// All that `serve` needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) identity: Identity,
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) accounts: Accounts,
    pub(crate) limits: Limits,
    pub(crate) migrations: Migrations,
    pub(crate) telemetry: Telemetry,
    pub(crate) jobs: Jobs,
    pub(crate) backups: Backups,
    /// Absent when copies of backups go nowhere.
    pub(crate) storage: Option<Storage>,
    /// Absent when no mail is sent.
    pub(crate) smtp: Option<Smtp>,
    pub(crate) fault: Option<Fault>,
    /// `SYSNDD_DATA_DIR`: the directory that all replicas share.
    pub(crate) data_dir: PathBuf,
    /// Variables named like ours that nothing reads.
    pub(crate) unknown: Vec<String>,
}

impl Config {
    /// Reads everything, or answers all faults.
    pub(crate) fn read(mut source: Source) -> Result<Self, Faults> {
        let identity = Identity::read(&mut source);
        let server = Server::read(&mut source);
        let database = Database::read(&mut source);
        let accounts = Accounts::read(&mut source);
        let limits = Limits::read(&mut source);
        let migrations = Migrations::read(&mut source);
        let telemetry = Telemetry::read(&mut source);
        let jobs = Jobs::read(&mut source);
        let smtp = Smtp::read(&mut source);
        let fault = Fault::read(&mut source);
        let data_dir = data_dir(&mut source);
        let backups = Backups::read(
            &mut source,
            &data_dir,
            database.as_ref().map(|database| &database.url),
        );
        let storage = Storage::read(&mut source);
        let unknown = source.unknown();
        source.finish(database.zip(accounts).map(|(database, accounts)| Self {
            identity,
            server,
            database,
            accounts,
            limits,
            migrations,
            telemetry,
            jobs,
            backups,
            storage,
            smtp,
            fault,
            data_dir,
            unknown,
        }))
    }
}

/// `SYSNDD_DATA_DIR`.
pub(crate) fn data_dir(source: &mut Source) -> PathBuf {
    let dir = source.text("SYSNDD_DATA_DIR");
    dir.unwrap_or_else(|| "/app/data".to_owned()).into()
}
