//! Saying and noting down that a statement failed: what stands now, what the next start does.

use std::time::Instant;

use super::Applier;
use super::unit::{Cause, Failure};
use crate::error::{MigrateError, StatementError, is_transient, server_code, shortened};
use crate::files::MigrationFile;
use crate::ledger;
use crate::outcome::millis;
use crate::remedy::remedy;
use crate::session::RunError;

impl Applier<'_> {
    /// Notes a failure in the ledger where that is still ours to write, and says it.
    pub(super) async fn failed(
        &mut self,
        file: &MigrationFile,
        failure: Failure,
        started: Instant,
    ) -> MigrateError {
        let Failure {
            statement,
            cause,
            dirty,
            done,
            in_doubt,
        } = failure;
        let (code, reason, lost) = match cause {
            Cause::Ours(error) => return error,
            Cause::OpenTransaction => (
                None,
                "the file leaves a transaction open, and its changes are lost; end it with COMMIT"
                    .to_owned(),
                false,
            ),
            Cause::Run(RunError::Lost(reason)) => (None, reason, true),
            Cause::Run(RunError::Statement(error)) => {
                (server_code(&error), error.to_string(), is_transient(&error))
            }
        };
        let next = match (lost, in_doubt) {
            (true, _) => {
                "The connection is lost; the next start goes on where it is certain".to_owned()
            }
            (false, true) => format!(
                "How much of it took effect cannot be told; {2} statements before it are applied and recorded, and every file before. \
                 {3}, look at the schema, then run \
                 `migrate resolve {0} --retry` to run it again from statement {1} or `migrate resolve {0} --done` to go on behind it",
                file.name(),
                done + 1,
                done,
                remedy(code).unwrap_or("Mend the file")
            ),
            (false, false) => format!(
                "{} of {} statements are applied and recorded, and every file before. {} and start again: \
                 it goes on with statement {}",
                done,
                file.statements().len(),
                remedy(code).unwrap_or("Mend the file"),
                done + 1
            ),
        };
        let error = StatementError {
            file: file.name().to_owned(),
            line: file.statements()[statement].line,
            statement: statement + 1,
            statements: file.statements().len(),
            text: shortened(&file.statements()[statement].text),
            code,
            reason,
            next,
            transient: lost,
        };
        if !lost
            && let Err(unwritten) = self
                .note(file, dirty, done, in_doubt, &error.to_string(), started)
                .await
        {
            tracing::error!(file = file.name(), %unwritten, "the failure of a migration could not be recorded");
        }
        MigrateError::Statement(Box::new(error))
    }

    async fn note(
        &mut self,
        file: &MigrationFile,
        dirty: bool,
        done: usize,
        in_doubt: bool,
        text: &str,
        started: Instant,
    ) -> Result<(), MigrateError> {
        if dirty {
            // Ends what the failed statement left: an open transaction, table locks, settings.
            self.renew().await?;
        }
        let in_doubt = in_doubt.then_some(done + 1);
        let noted = ledger::failed(&mut self.conn, file, done, in_doubt, text, millis(started));
        self.dialer.bounded("writing the ledger", noted).await
    }
}
