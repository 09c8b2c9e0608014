//! What the database server says about itself.

use std::time::Duration;

use futures::TryFutureExt as _;
use mysql_async::{Conn, prelude::Queryable as _};
use tokio::time::timeout;

use super::Context;
use crate::{config::Migrations, database::Access};

/// The database answers in milliseconds; a check must not hang on one that does not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How many connections it takes, read through the way that the stack's ledger is read.
pub(super) async fn max_connections(
    context: &Context<'_>,
    migrations: &Migrations,
) -> Result<u64, String> {
    let (stack, engine, prober) = (context.stack, context.engine, context.prober);
    let access = Access::open(
        stack,
        migrations,
        engine,
        prober,
        &context.evidence.observed,
    )
    .await
    .map_err(|error| error.to_string())?;
    let asked = async {
        let mut conn = Conn::new(access.opts()).await?;
        let limit = conn.query_first("SELECT @@max_connections").await?;
        // The number is here; how the connection ends does not matter.
        let _ = conn.disconnect().await;
        Ok(limit)
    };
    let limit: Option<u64> = timeout(ANSWERS_WITHIN, asked)
        .map_err(|_| "no answer in time".to_owned())
        .await?
        .map_err(|error: mysql_async::Error| access.explain(&error.to_string()))?;
    limit.ok_or_else(|| "it does not say".to_owned())
}
