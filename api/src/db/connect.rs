//! First contact with a database that may still be starting.

use std::time::{Duration, Instant};

use mysql_async::{Conn, Error};

use crate::config::Database;

/// Between two tries. Start-up is to be ready within a second of the database's first answer.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// One try; a host that drops packets would otherwise hold it for minutes.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// A database that is being set up may answer before it knows its users. Later it will not learn.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);

/// How contact came about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connected {
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
}

/// The database could not be reached, or does not let us in.
#[derive(Debug, thiserror::Error)]
#[error("connecting to {address}: {cause} ({attempts} attempts in {} ms); {hint}", .elapsed.as_millis())]
pub(crate) struct ConnectError {
    address: String,
    cause: String,
    attempts: u32,
    elapsed: Duration,
    hint: &'static str,
}

/// Tries until the database accepts a connection, or the configured time is over.
pub(crate) async fn await_database(config: &Database) -> Result<Connected, ConnectError> {
    let began = Instant::now();
    let mut attempts = 0;
    let mut said = String::new();
    loop {
        attempts += 1;
        let failure = match tokio::time::timeout(TRY_TIMEOUT, Conn::new(config.url.opts())).await {
            Ok(Ok(conn)) => {
                let elapsed = began.elapsed();
                // It has served its purpose; when the farewell is not heard, the server notices anyway.
                tokio::spawn(conn.disconnect());
                return Ok(Connected { attempts, elapsed });
            }
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure {
                cause: format!("no answer within {} s", TRY_TIMEOUT.as_secs()),
                refused: false,
            },
        };
        let elapsed = began.elapsed();
        let patience = if failure.refused {
            config.connect_wait.min(REFUSAL_PATIENCE)
        } else {
            config.connect_wait
        };
        if elapsed + RETRY_EVERY > patience {
            let hint = if failure.refused {
                "check the user, the password and the database in SYSNDD_DATABASE_URL"
            } else if failure.cause.contains("certificate") {
                "does SYSNDD_DB_CA name the authority that signed the certificate of this database, and does the certificate bear the name of the host?"
            } else {
                "is the database running and reachable from here? SYSNDD_DB_CONNECT_WAIT says how long to try"
            };
            return Err(ConnectError {
                address: config.url.to_string(),
                cause: failure.cause,
                attempts,
                elapsed,
                hint,
            });
        }
        if failure.cause != said {
            tracing::info!(database = %config.url, cause = %failure.cause, "waiting for the database");
            said = failure.cause;
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// Why one try failed.
struct Failure {
    cause: String,
    /// The database answered, and the answer was no.
    refused: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // 1040: too many connections; 1053: shutting down. Both pass.
        let refused =
            matches!(&error, Error::Server(answer) if !matches!(answer.code, 1040 | 1053));
        Self {
            cause: error.to_string(),
            refused,
        }
    }
}
