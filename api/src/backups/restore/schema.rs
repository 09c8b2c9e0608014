//! The three schemas of a restore, and what is in them.

use std::fmt;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, params};

use super::super::Error;
use super::Run;

/// No name of a schema is longer.
const LONGEST_NAME: usize = 64;
const RESTORE: &str = "__restore";
const OLD: &str = "__old";

/// A schema cannot be made: there is a directory of its name.
const DIRECTORY_EXISTS: u16 = 3678;
/// A schema cannot be dropped: there is nothing but a directory of its name.
const DIRECTORY_OF_NOTHING: u16 = 3681;

/// The names of the schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schemas {
    pub(super) live: String,
    /// Where the backup is loaded into.
    pub(super) restore: String,
    /// Where the live tables go.
    pub(super) old: String,
}

impl Schemas {
    pub(super) fn of(opts: &Opts) -> Result<Self, Error> {
        let live = opts.db_name().unwrap_or_default();
        if live.len() + RESTORE.len() > LONGEST_NAME {
            return Err(Error::Refused(format!(
                "the database's name is too long: {live}{RESTORE} would have more than {LONGEST_NAME} characters"
            )));
        }
        Ok(Self {
            live: live.to_owned(),
            restore: format!("{live}{RESTORE}"),
            old: format!("{live}{OLD}"),
        })
    }
}

/// A name in a statement.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.replace('`', "``"))
    }
}

/// The tables of a schema, views apart.
pub(super) async fn tables(conn: &mut Conn, schema: &str) -> Result<Vec<String>, Error> {
    Ok(conn
        .exec(
            "SELECT TABLE_NAME FROM information_schema.tables \
             WHERE table_schema = :schema AND table_type = 'BASE TABLE' ORDER BY TABLE_NAME",
            params! { schema },
        )
        .await?)
}

/// How many of these schemas there are.
pub(super) async fn schemas(conn: &mut Conn, [one, other]: [&str; 2]) -> Result<u64, Error> {
    let count: Option<u64> = conn
        .exec_first(
            "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN (:one, :other)",
            params! { one, other },
        )
        .await?;
    Ok(count.unwrap_or_default())
}

/// The columns of a table that can be written to.
pub(super) async fn columns(
    conn: &mut Conn,
    schema: &str,
    table: &str,
) -> Result<Vec<String>, Error> {
    Ok(conn
        .exec(
            "SELECT COLUMN_NAME FROM information_schema.columns \
             WHERE table_schema = :schema AND table_name = :table AND generation_expression = '' \
             ORDER BY ordinal_position",
            params! { schema, table },
        )
        .await?)
}

impl Run<'_> {
    /// Makes the two schemas beside the live one, empty.
    pub(super) async fn make_schemas(&mut self) -> Result<(), Error> {
        self.end_leftovers().await?;
        self.drop_schemas().await?;
        let conn = self.lock.conn();
        let kind: Option<(String, String)> = conn
            .exec_first(
                "SELECT default_character_set_name, default_collation_name \
                 FROM information_schema.schemata WHERE schema_name = :live",
                params! { "live" => &self.schemas.live },
            )
            .await?;
        let (charset, collation) =
            kind.unwrap_or_else(|| ("utf8mb4".to_owned(), "utf8mb4_0900_ai_ci".to_owned()));
        for schema in [&self.schemas.restore, &self.schemas.old] {
            let name = Name(schema);
            let made = conn.query_drop(format!(
                "CREATE DATABASE {name} CHARACTER SET {charset} COLLATE {collation}"
            ));
            match made.await {
                Err(error) if is(&error, DIRECTORY_EXISTS) => {
                    return Err(Error::Refused(format!(
                        "the database's data directory has a directory `{schema}` that belongs to nothing: a server that died \
                         while it dropped that schema left it. Remove it there (`rmdir {schema}`), then try again"
                    )));
                }
                made => made?,
            }
        }
        Ok(())
    }

    /// Drops the two schemas beside the live one. That of the live tables goes first: one that is empty beside one
    /// that is not there is no exchange that was made.
    pub(super) async fn drop_schemas(&mut self) -> Result<(), Error> {
        for schema in [&self.schemas.old, &self.schemas.restore] {
            let conn = self.lock.conn();
            // Tables go whole or not at all. A server that dies while it drops a schema with tables in it may leave
            // a directory that it then wants nobody to use.
            let tables: Vec<_> = tables(conn, schema)
                .await?
                .iter()
                .map(|table| format!("{}.{}", Name(schema), Name(table)))
                .collect();
            if !tables.is_empty() {
                conn.query_drop("SET SESSION foreign_key_checks = 0")
                    .await?;
                let dropped = conn
                    .query_drop(format!("DROP TABLE {}", tables.join(", ")))
                    .await;
                conn.query_drop("SET SESSION foreign_key_checks = 1")
                    .await?;
                dropped?;
            }
            let dropped = conn.query_drop(format!("DROP DATABASE IF EXISTS {}", Name(schema)));
            match dropped.await {
                // Nothing is in it. The site can go on; the next restore says what is to be done.
                Err(error) if is(&error, DIRECTORY_OF_NOTHING) => {
                    tracing::warn!(%error, "nothing can be restored until that directory is removed");
                }
                dropped => dropped?,
            }
        }
        Ok(())
    }
}

/// Whether the server said this.
pub(super) fn is(error: &mysql_async::Error, code: u16) -> bool {
    matches!(error, mysql_async::Error::Server(error) if error.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_derived_from_the_live_one_and_must_fit() {
        let of = |name: &str| {
            Schemas::of(&Opts::from_url(&format!("mysql://u:p@h/{name}")).expect("an address"))
        };
        let schemas = of("sysndd").expect("short");
        assert_eq!(
            (schemas.restore.as_str(), schemas.old.as_str()),
            ("sysndd__restore", "sysndd__old")
        );
        of(&"x".repeat(56)).expect_err("too long");
        assert_eq!(Name("a`b").to_string(), "`a``b`");
    }
}
