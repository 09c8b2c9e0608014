//! Reading the migration ledger, whichever way the database can be reached.

use std::time::Duration;

use futures::TryFutureExt as _;
use mysql_async::Conn;
use serde::Serialize;
use sysndd_migrator::LedgerRow;
use tokio::time::timeout;

use crate::{
    config::{Migrations, Stack},
    database::{Access, Way},
    docker::Engine,
    observe::Observed,
    probe::Prober,
};

/// The database answers in milliseconds; a check must not hang on one that does not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// The ledger's rows and how they were read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ledger {
    pub(crate) way: Way,
    pub(crate) rows: Vec<LedgerRow>,
}

pub(crate) async fn read(
    stack: &Stack,
    migrations: &Migrations,
    engine: &Engine,
    prober: &Prober,
    observed: &Observed,
) -> Result<Ledger, String> {
    let access = Access::open(stack, migrations, engine, prober, observed)
        .await
        .map_err(|error| error.to_string())?;
    let rows = rows(&access).await;
    Ok(Ledger {
        way: access.way(),
        rows: rows.map_err(|error| access.explain(&error))?,
    })
}

async fn rows(access: &Access) -> Result<Vec<LedgerRow>, String> {
    let mut conn = timeout(CONNECTS_WITHIN, Conn::new(access.opts()))
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
