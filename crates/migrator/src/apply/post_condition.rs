//! The query that must be true after a file: it runs after the statements, on a clean session.

use std::time::Instant;

use mysql_async::{Row, Value};

use super::Applier;
use crate::error::{MigrateError, StatementError, is_transient, server_code, shortened};
use crate::files::MigrationFile;
use crate::ledger;
use crate::outcome::millis;
use crate::session::RunError;

impl Applier<'_> {
    pub(super) async fn post_condition(
        &mut self,
        file: &MigrationFile,
        started: Instant,
    ) -> Result<(), MigrateError> {
        let Some(verify) = file.verify() else {
            return Ok(());
        };
        let (code, reason) = match self.dialer.rows(&mut self.conn, &verify.query).await {
            Ok(rows) => match holds(&rows) {
                Ok(()) => return Ok(()),
                Err(answer) => (None, answer),
            },
            Err(RunError::Statement(error)) if !is_transient(&error) => {
                (server_code(&error), error.to_string())
            }
            Err(RunError::Statement(source)) => {
                return Err(MigrateError::Lost {
                    reason: source.to_string(),
                });
            }
            Err(RunError::Lost(reason)) => return Err(MigrateError::Lost { reason }),
        };
        let total = file.statements().len();
        let error = StatementError {
            file: file.name().to_owned(),
            line: verify.line,
            statement: 0,
            statements: total,
            text: shortened(&verify.query),
            code,
            reason,
            next: format!(
                "Its {total} statements ran. Mend the data and start again: only this check is repeated"
            ),
            transient: false,
        };
        let text = error.to_string();
        let noted = ledger::failed(&mut self.conn, file, total, None, &text, millis(started));
        self.dialer.bounded("writing the ledger", noted).await?;
        Err(MigrateError::Statement(Box::new(error)))
    }
}

/// Whether a post-condition's answer is one true value; what it is instead.
pub(crate) fn holds(rows: &[Row]) -> Result<(), String> {
    let [row] = rows else {
        return Err(format!("it returned {} rows instead of one", rows.len()));
    };
    if row.len() != 1 {
        return Err(format!("it returned {} columns instead of one", row.len()));
    }
    match row.as_ref(0) {
        Some(Value::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            match text.trim().parse::<f64>() {
                Ok(number) if number != 0.0 => Ok(()),
                _ => Err(format!("its answer is `{}`", shortened(&text))),
            }
        }
        Some(Value::NULL) | None => Err("its answer is NULL".to_owned()),
        Some(Value::Int(0) | Value::UInt(0)) => Err("its answer is 0".to_owned()),
        Some(_) => Ok(()),
    }
}
