//! Reading the migration ledger: straight from the database where it can be reached, else through
//! a replica.

use std::time::Duration;

use futures::TryFutureExt as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use serde::{Deserialize, Serialize};
use sysndd_migrator::LedgerRow;
use tokio::time::timeout;

use crate::{
    config::{Migrations, ServiceName, Stack},
    docker::Engine,
    observe::Observed,
    probe::{Prober, Way},
};

/// The database answers in milliseconds; a check must not hang on one that does not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// The ledger's rows and how they were read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ledger {
    pub(crate) source: Source,
    pub(crate) rows: Vec<LedgerRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// By our own query.
    Database,
    /// By a command in a replica.
    Replica,
}

pub(crate) async fn read(
    stack: &Stack,
    migrations: &Migrations,
    engine: &Engine,
    prober: &Prober,
    observed: &Observed,
) -> Result<Ledger, String> {
    let direct = if prober.way() == Way::Inside {
        Err("container addresses cannot be reached from here".to_owned())
    } else {
        from_database(stack, migrations, observed).await
    };
    match direct {
        Ok(rows) => Ok(Ledger {
            source: Source::Database,
            rows,
        }),
        Err(direct) => from_replica(migrations, engine, observed)
            .await
            .map(|rows| Ledger {
                source: Source::Replica,
                rows,
            })
            .map_err(|through| {
                format!("from the database: {direct}; through a replica: {through}")
            }),
    }
}

async fn from_database(
    stack: &Stack,
    migrations: &Migrations,
    observed: &Observed,
) -> Result<Vec<LedgerRow>, String> {
    let opts = Opts::from_url(&migrations.database.expose()).map_err(|error| error.to_string())?;
    let service = ServiceName::new(opts.ip_or_hostname());
    let mut host = opts.ip_or_hostname().to_owned();
    if stack.services.contains_key(&service) {
        let running = observed
            .replicas_of(&service)
            .find(|replica| replica.is_running());
        let address = running.and_then(|replica| replica.address);
        host = address
            .ok_or_else(|| format!("{service} does not run"))?
            .to_string();
    }
    let opts = OptsBuilder::from_opts(opts).ip_or_hostname(host);
    let mut conn = timeout(CONNECTS_WITHIN, Conn::new(opts))
        .map_err(|_| "no connection in time".to_owned())
        .await?
        .map_err(|error| error.to_string())?;
    let rows = timeout(ANSWERS_WITHIN, sysndd_migrator::read_ledger(&mut conn))
        .map_err(|_| "no answer in time".to_owned())
        .await?
        .map_err(|error| error.to_string())?;
    // The rows are here; how the connection ends does not matter.
    let _ = conn.disconnect().await;
    Ok(rows)
}

/// As much of the status command's answer as is needed.
#[derive(Deserialize)]
struct Status {
    rows: Vec<LedgerRow>,
}

async fn from_replica(
    migrations: &Migrations,
    engine: &Engine,
    observed: &Observed,
) -> Result<Vec<LedgerRow>, String> {
    if migrations.status_command.is_empty() {
        return Err("migrations.status_command is not set".into());
    }
    let replica = observed
        .replicas_of(&migrations.service)
        .find(|replica| replica.is_running())
        .ok_or_else(|| format!("no replica of {} runs", migrations.service))?;
    let command: Vec<&str> = migrations
        .status_command
        .iter()
        .map(String::as_str)
        .collect();
    let output = timeout(ANSWERS_WITHIN, engine.exec(&replica.container, &command))
        .map_err(|_| "no answer in time".to_owned())
        .await?
        .map_err(|error| error.to_string())?;
    serde_json::from_slice::<Status>(&output.stdout)
        .map(|status| status.rows)
        .map_err(|error| format!("{error}: {}", output.text()))
}
