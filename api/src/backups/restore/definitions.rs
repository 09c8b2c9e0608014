//! Views, triggers, routines and events: they refuse to go from one schema to another, so they are written
//! down, dropped, and made anew.

use std::fs::File;
use std::path::Path;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, params};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::super::Error;
use super::super::client::{Client, Running};
use super::super::create::views;
use super::super::dump;
use super::super::lock::LOCK_WAIT;
use super::Run;
use super::fence::store;
use super::load::{PROGRAM, feed};
use super::schema::Name;
use super::swap::insist;

impl Run<'_> {
    /// Writes the definitions of the live schema down, so that they can be made again.
    pub(super) async fn write_down(&mut self) -> Result<(), Error> {
        let live = self.schemas.live.clone();
        let views = views(self.lock.conn(), &live).await?;
        let opts = self.opts(&live);
        let mut text = Vec::new();
        for command in dump::definitions(&self.backups.client, &opts, &views) {
            text.extend(self.lock.during(output(command)).await?);
        }
        let path = self.backups.fence.definitions("old");
        tokio::task::spawn_blocking(move || store(&path, &text))
            .await
            .map_err(|panic| Error::Task(panic.to_string()))?
    }

    /// Makes what was written down, in the live schema.
    pub(super) async fn define(&mut self, which: &str) -> Result<(), Error> {
        let path = self.backups.fence.definitions(which);
        // Nothing goes that could not be made again.
        let file = File::open(&path).map_err(Error::file("read", &path))?;
        let live = self.schemas.live.clone();
        let conn = self.lock.conn();
        drop_triggers(conn, &live).await?;
        drop_definitions(conn, &live).await?;
        let opts = self.opts(&live);
        let command = replay(&self.backups.client, &opts);
        let work = feed(command, move |into| {
            std::io::copy(&mut &file, into).map(drop)
        });
        self.lock.during(work).await
    }
}

/// The program that makes definitions. It waits for whoever reads no longer than who holds the lock.
fn replay(client: &Client, opts: &Opts) -> Command {
    let mut command = client.command(PROGRAM, opts);
    command
        .arg("--binary-mode")
        .arg(format!(
            "--init-command=SET SESSION lock_wait_timeout = {LOCK_WAIT}"
        ))
        .arg(opts.db_name().unwrap_or_default());
    command
}

/// What a program writes.
async fn output(mut command: Command) -> Result<Vec<u8>, Error> {
    command.stdout(std::process::Stdio::piped());
    let mut running = Running::start(dump::PROGRAM, command)?;
    let stdout = running.stdout();
    let read = async {
        let mut text = Vec::new();
        if let Some(mut stdout) = stdout {
            stdout
                .read_to_end(&mut text)
                .await
                .map_err(Error::file("read from", Path::new(dump::PROGRAM)))?;
        }
        Ok(text)
    };
    let (ended, text) = tokio::join!(running.end(), read);
    ended?;
    text
}

/// Drops the triggers of a schema: a table that has one does not leave its schema.
pub(super) async fn drop_triggers(conn: &mut Conn, schema: &str) -> Result<(), Error> {
    drop_all(
        conn,
        schema,
        "SELECT 'TRIGGER', TRIGGER_NAME FROM information_schema.triggers WHERE trigger_schema = :schema",
    )
    .await
}

/// Drops all views, routines and events of a schema.
async fn drop_definitions(conn: &mut Conn, schema: &str) -> Result<(), Error> {
    drop_all(
        conn,
        schema,
        "SELECT 'EVENT', EVENT_NAME FROM information_schema.events WHERE event_schema = :schema \
         UNION ALL SELECT 'VIEW', TABLE_NAME FROM information_schema.views WHERE table_schema = :schema \
         UNION ALL SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.routines WHERE routine_schema = :schema",
    )
    .await
}

async fn drop_all(conn: &mut Conn, schema: &str, query: &str) -> Result<(), Error> {
    let found: Vec<(String, String)> = conn.exec(query, params! { schema }).await?;
    for (kind, name) in found {
        let (schema, name) = (Name(schema), Name(&name));
        insist(conn, &format!("DROP {kind} IF EXISTS {schema}.{name}")).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_definitions_waits_for_readers_no_longer_than_the_exchange_does() {
        let opts = Opts::from_url("mysql://u:p@h/live").expect("an address");
        let command = replay(&Client::new(None, None), &opts);
        let arguments: Vec<_> = command.as_std().get_args().collect();
        let bound = "--init-command=SET SESSION lock_wait_timeout = 10";
        assert!(arguments.iter().any(|it| *it == bound), "{arguments:?}");
        assert_eq!(arguments.last(), Some(&"live".as_ref()));
    }
}
