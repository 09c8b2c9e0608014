//! Views, triggers, routines and events: they refuse to go from one schema to another, so they are written
//! down, dropped, and made anew.

use std::path::Path;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};
use tokio::io::AsyncReadExt as _;

use super::super::Error;
use super::super::client::Running;
use super::Run;
use super::fence::store;
use super::load::{PROGRAM, feed};
use super::schema::Name;

const DUMP: &str = "mysqldump";

impl Run<'_> {
    /// Writes the definitions of a schema down, so that they can be made there or elsewhere, once or
    /// several times.
    pub(super) async fn write_down(&mut self, schema: &str, which: &str) -> Result<(), Error> {
        let views: Vec<String> = self
            .lock
            .conn()
            .exec(
                "SELECT TABLE_NAME FROM information_schema.views WHERE table_schema = :schema",
                params! { schema },
            )
            .await?;
        let rest = [
            "--no-create-info",
            "--no-data",
            "--routines",
            "--triggers",
            "--add-drop-trigger",
            "--events",
        ];
        // Triggers and events may call routines and read views, which exist by then.
        let mut text = Vec::new();
        if !views.is_empty() {
            let mut only_views = vec!["--no-data".to_owned(), "--skip-triggers".to_owned()];
            only_views.push("--".to_owned());
            only_views.push(schema.to_owned());
            only_views.extend(views);
            text.extend(self.definitions(schema, &only_views).await?);
        }
        let mut only_rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
        only_rest.push(schema.to_owned());
        text.extend(self.definitions(schema, &only_rest).await?);
        let path = self.backups.fence.definitions(which);
        tokio::task::spawn_blocking(move || store(&path, &text))
            .await
            .map_err(|panic| Error::Task(panic.to_string()))?
    }

    async fn definitions(&mut self, schema: &str, what: &[String]) -> Result<Vec<u8>, Error> {
        let opts = self.opts(schema);
        let mut command = self.backups.client.command(DUMP, &opts);
        command
            .args([
                "--set-gtid-purged=OFF",
                "--no-tablespaces",
                "--skip-lock-tables",
            ])
            .args(what)
            .stdout(std::process::Stdio::piped());
        let work = async {
            let mut running = Running::start(DUMP, command)?;
            let stdout = running.stdout();
            let read = async {
                let mut text = Vec::new();
                if let Some(mut stdout) = stdout {
                    stdout
                        .read_to_end(&mut text)
                        .await
                        .map_err(Error::file("read from", Path::new(DUMP)))?;
                }
                Ok::<_, Error>(text)
            };
            let (ended, text) = tokio::join!(running.end(), read);
            ended?;
            text
        };
        self.lock.during(work).await
    }

    /// Makes what was written down, in the live schema.
    pub(super) async fn define(&mut self, which: &str) -> Result<(), Error> {
        let path = self.backups.fence.definitions(which);
        let opts = self.opts(&self.schemas.live);
        let mut command = self.backups.client.command(PROGRAM, &opts);
        command.arg("--binary-mode").arg(&self.schemas.live);
        let work = feed(command, move |into| {
            std::io::copy(&mut std::fs::File::open(path)?, into).map(drop)
        });
        self.lock.during(work).await
    }
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
pub(super) async fn drop_definitions(conn: &mut Conn, schema: &str) -> Result<(), Error> {
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
        conn.query_drop(format!("DROP {kind} IF EXISTS {schema}.{name}"))
            .await?;
    }
    Ok(())
}
