//! The exchange of all tables, at once and back.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::super::Error;
use super::super::catalogue::Catalogue;
use super::definitions::drop_triggers;
use super::fence::{End, Outcome, State, Step};
use super::schema::{Name, Schemas, is, schemas, tables};
use super::{Restored, Run, carry};

/// Waited too long for a lock, as the server says it.
const LOCK_TIMEOUT: u16 = 1205;
/// So often a statement that waited too long is tried.
const TRIES: u32 = 3;

impl Run<'_> {
    /// Exchanges the tables. From here on nobody can cancel it: it is finished, or taken back.
    pub(super) async fn swap(&mut self, restored: &Restored) -> Result<(), Error> {
        let live = self.schemas.live.clone();
        self.write_down().await?;
        self.backups
            .fence
            .raise(State {
                id: self.errand.id.clone(),
                filename: restored.filename.clone(),
                step: Step::Swapping,
                restored: Some(restored.clone()),
                raised_at: None,
            })
            .await?;
        let conn = self.lock.conn();
        drop_triggers(conn, &live).await?;
        self.exchange(Direction::Forward).await
    }

    /// Whether the live tables are those of the backup: they left where they were loaded. What was live may
    /// have had no tables; then both schemas are still there, as they are not when all was taken back.
    pub(super) async fn is_swapped(&mut self) -> Result<bool, Error> {
        let Schemas { restore, old, .. } = self.schemas.clone();
        let conn = self.lock.conn();
        let has_left = tables(conn, &restore).await?.is_empty();
        let is_parked = !tables(conn, &old).await?.is_empty();
        Ok(has_left && (is_parked || schemas(conn, [&restore, &old]).await? == 2))
    }

    /// Makes the definitions of the backup, brings it up to date, looks that the application sees all of it,
    /// and ends.
    pub(super) async fn finish(&mut self) -> Result<Restored, Error> {
        let gone = || Error::Refused("the fence was taken away by somebody".into());
        let mut state = self.backups.fence.state().await?.ok_or_else(gone)?;
        if state.step == Step::Swapping {
            self.define("new").await?;
            // What migrations change of it must not be made anew.
            state.step = Step::Defined;
            self.backups.fence.raise(state.clone()).await?;
        }
        self.tell("applying pending migrations", 8);
        let migration_head = self.migrate().await?;
        self.is_granted().await?;
        let live = self.schemas.live.clone();
        let count = tables(self.lock.conn(), &live).await?.len();
        let restored = Restored {
            table_count: u32::try_from(count).unwrap_or(u32::MAX),
            migration_head,
            ..state.restored.clone().ok_or_else(gone)?
        };
        let id = state.id.clone();
        let end = End::Restored(restored.clone());
        self.backups.fence.note(Outcome { id, end }).await?;
        tracing::info!(name = %restored.filename, "the backup is the live database now");
        self.clear(state).await?;
        Ok(restored)
    }

    /// The account of the application must see the same tables as we do.
    async fn is_granted(&mut self) -> Result<(), Error> {
        let live = self.schemas.live.clone();
        let expected = tables(self.lock.conn(), &live).await?;
        let mut conn = Conn::new(self.backups.opts.clone()).await?;
        let seen = tables(&mut conn, &live).await?;
        let _ = conn.disconnect().await;
        if seen == expected {
            Ok(())
        } else {
            Err(Error::Refused(format!(
                "the application's account sees {} of {} tables",
                seen.len(),
                expected.len()
            )))
        }
    }

    /// Takes everything back. What cannot be done now is done by the next one that looks.
    pub(super) async fn take_back(&mut self, why: &Error) {
        if let Err(error) = self.try_take_back(&why.to_string()).await {
            tracing::error!(%error, "a failed restore could not be taken back; it is tried again, and until then nothing can be changed");
        }
    }

    pub(super) async fn try_take_back(&mut self, why: &str) -> Result<(), Error> {
        let Some(state) = self.backups.fence.state().await? else {
            return Ok(());
        };
        if state.step == Step::Ended {
            return self.clear(state).await;
        }
        if state.step != Step::Preparing {
            if self.is_swapped().await? {
                let live = self.schemas.live.clone();
                drop_triggers(self.lock.conn(), &live).await?;
                self.exchange(Direction::Back).await?;
            }
            self.define("old").await?;
        }
        // All that is left is the live database's own. What is in the way goes first: it may be what filled the
        // disk, and then nothing can be noted before.
        self.drop_schemas().await?;
        self.backups.blocking(Catalogue::clean).await?;
        self.backups.fence.drop_definitions("new").await?;
        let end = End::TakenBack(why.to_owned());
        let id = state.id.clone();
        self.backups.fence.note(Outcome { id, end }).await?;
        tracing::info!(name = %state.filename, "the restore was taken back; the live database is as it was");
        self.clear(state).await
    }

    /// Under locks on all tables, what stays as it is is carried over, and then all tables change
    /// places in one statement: others see either all or nothing of it, and so does who looks after a crash.
    async fn exchange(&mut self, direction: Direction) -> Result<(), Error> {
        let Schemas { live, restore, old } = self.schemas.clone();
        let (incoming, parking) = match direction {
            Direction::Forward => (restore, old),
            Direction::Back => (old, restore),
        };
        let conn = self.lock.conn();
        let ours = tables(conn, &live).await?;
        let theirs = tables(conn, &incoming).await?;
        let carried = match direction {
            Direction::Forward => {
                carry::forward(conn, (&live, &ours), (&incoming, &theirs)).await?
            }
            Direction::Back => carry::back(conn, (&live, &ours), (&incoming, &theirs)).await?,
        };
        let at = |schema: &str, table: &str| format!("{}.{}", Name(schema), Name(table));
        let locks: Vec<_> = ours
            .iter()
            .map(|table| at(&live, table))
            .chain(theirs.iter().map(|table| at(&incoming, table)))
            .map(|table| format!("{table} WRITE"))
            .collect();
        let renames: Vec<_> = ours
            .iter()
            .map(|table| format!("{} TO {}", at(&live, table), at(&parking, table)))
            .chain(
                theirs
                    .iter()
                    .map(|table| format!("{} TO {}", at(&incoming, table), at(&live, table))),
            )
            .collect();
        insist(conn, &format!("LOCK TABLES {}", locks.join(", "))).await?;
        let exchanged = async {
            for statement in carried {
                conn.query_drop(statement).await?;
            }
            conn.query_drop(format!("RENAME TABLE {}", renames.join(", ")))
                .await
        }
        .await;
        let unlocked = conn.query_drop("UNLOCK TABLES").await;
        exchanged?;
        Ok(unlocked?)
    }
}

/// Runs a statement that has to wait for whoever reads. Between two tries others get their turn.
pub(super) async fn insist(conn: &mut Conn, statement: &str) -> Result<(), Error> {
    let mut tries = 1;
    while let Err(error) = conn.query_drop(statement).await {
        if !is(&error, LOCK_TIMEOUT) || tries == TRIES {
            return Err(error.into());
        }
        tracing::warn!("somebody's open transaction holds the exchange up; trying again");
        tries += 1;
    }
    Ok(())
}

/// Which way tables go.
#[derive(Debug, Clone, Copy)]
enum Direction {
    /// The backup becomes the live database.
    Forward,
    /// What was the live database becomes it again.
    Back,
}
