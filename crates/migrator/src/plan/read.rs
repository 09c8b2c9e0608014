//! What the server tells of itself and of its tables. It changes nothing.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use super::{Flavour, Server};
use crate::ddl::{Column, Generated, Schema, Table, TableName};
use crate::error::MigrateError;
use crate::units::OTHER_ENGINES;

/// The server, and how this session is set.
pub(super) struct About {
    pub(super) server: Server,
    pub(super) checks_foreign_keys: bool,
    folds_names: bool,
}

impl About {
    /// Major, minor, patch of a `MySQL`.
    pub(super) fn mysql(&self) -> Option<(u32, u32, u32)> {
        if self.server.flavour != Flavour::MySql {
            return None;
        }
        let mut numbers = self
            .server
            .version
            .split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??, numbers.next()??))
    }
}

pub(super) async fn about(conn: &mut Conn) -> Result<About, MigrateError> {
    let row: Option<(String, bool, u8)> = conn
        .query_first("SELECT VERSION(), @@foreign_key_checks, @@lower_case_table_names")
        .await
        .map_err(failed)?;
    let (version, checks_foreign_keys, folds) = row.unwrap_or_default();
    let flavour = if version.to_ascii_lowercase().contains("mariadb") {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    Ok(About {
        server: Server { flavour, version },
        checks_foreign_keys,
        folds_names: folds != 0,
    })
}

pub(super) async fn is_transactional(conn: &mut Conn) -> Result<bool, MigrateError> {
    let others: Option<u64> = conn.query_first(OTHER_ENGINES).await.map_err(failed)?;
    Ok(others.unwrap_or(0) == 0)
}

const TABLES: &str = "SELECT TABLE_NAME AS t, ENGINE AS e, ROW_FORMAT AS f, TABLE_COLLATION AS c, \
     TABLE_ROWS AS n, DATA_LENGTH + INDEX_LENGTH AS b FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'";
const COLUMNS: &str = "SELECT TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS y, \
     IS_NULLABLE AS n, COLLATION_NAME AS l, EXTRA AS x FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";
const INDEXES: &str = "SELECT TABLE_NAME AS t, COLUMN_NAME AS c, INDEX_TYPE AS y \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()";

/// The tables of the connection's database.
pub(super) async fn schema(conn: &mut Conn, about: &About) -> Result<Schema, MigrateError> {
    // Else MySQL may tell what it cached a day ago. Another server does not know the setting.
    let fresh = about.server.flavour == Flavour::MySql;
    if fresh {
        conn.query_drop("SET SESSION information_schema_stats_expiry = 0")
            .await
            .map_err(failed)?;
    }
    let tables: Vec<Row> = conn.query(TABLES).await.map_err(failed)?;
    if fresh {
        conn.query_drop("SET SESSION information_schema_stats_expiry = DEFAULT")
            .await
            .map_err(failed)?;
    }
    let columns: Vec<Row> = conn.query(COLUMNS).await.map_err(failed)?;
    let indexes: Vec<Row> = conn.query(INDEXES).await.map_err(failed)?;

    let mut schema = Schema::folding(about.folds_names);
    for row in &tables {
        let text = |column| value::<String>(row, column).map(|text| text.to_ascii_lowercase());
        let table = Table {
            rows: value(row, "n"),
            bytes: value(row, "b"),
            engine: text("e"),
            compressed: text("f").is_some_and(|format| format == "compressed"),
            collation: text("c"),
            ..Table::default()
        };
        if let Some(name) = name(row) {
            schema.put(&name, table);
        }
    }
    for row in &columns {
        if let Some(table) = name(row).and_then(|name| schema.get_mut(&name)) {
            table.columns.extend(column(row));
        }
    }
    for row in &indexes {
        if let Some(table) = name(row).and_then(|name| schema.get_mut(&name)) {
            // An index on an expression has no column.
            let column = value::<String>(row, "c");
            table
                .indexed
                .extend(column.map(|name| name.to_ascii_lowercase()));
            table.fulltext |= value::<String>(row, "y").is_some_and(|kind| kind == "FULLTEXT");
        }
    }
    Ok(schema)
}

fn column(row: &Row) -> Option<Column> {
    let name: String = value(row, "c")?;
    let column_type: String = value(row, "y")?;
    let extra: String = value(row, "x").unwrap_or_default();
    let generated = if extra.contains("VIRTUAL GENERATED") {
        Some(Generated::Virtual)
    } else {
        (extra.contains("STORED GENERATED")).then_some(Generated::Stored)
    };
    Some(Column {
        not_null: value::<String>(row, "n").is_some_and(|nullable| nullable == "NO"),
        collation: value(row, "l"),
        generated,
        auto_increment: extra.contains("auto_increment"),
        ..Column::of_type(&name, &column_type)?
    })
}

fn name(row: &Row) -> Option<TableName> {
    Some(TableName {
        schema: None,
        name: value(row, "t")?,
    })
}

fn value<T: mysql_async::prelude::FromValue>(row: &Row, column: &str) -> Option<T> {
    row.get_opt::<Option<T>, _>(column)?.ok()?
}

fn failed(source: mysql_async::Error) -> MigrateError {
    MigrateError::Session { source }
}
