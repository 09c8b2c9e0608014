//! What a database looks like, as lines that two runs can be compared by: its objects in
//! `information_schema`, their definitions, every row, and the ledger.

use crate::deploy::TestDatabase;

/// Objects, columns and keys; nothing that tells when, or how often, something was done.
const CATALOGUE: &str = "
SELECT 'table', TABLE_NAME, TABLE_TYPE, ENGINE, ROW_FORMAT, TABLE_COLLATION, TABLE_COMMENT
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME;
SELECT 'column', TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, GENERATION_EXPRESSION
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION;
SELECT 'key', TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX;
SELECT 'routine', ROUTINE_TYPE, ROUTINE_NAME, SHA2(ROUTINE_DEFINITION, 256), SQL_MODE
  FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY ROUTINE_NAME;
SELECT 'trigger', TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT
  FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME;
SELECT 'event', EVENT_NAME, EVENT_DEFINITION, STATUS
  FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY EVENT_NAME;
SELECT 'ledger', filename, version, checksum, compat, state, statements_done, statements_total, in_doubt, before_hash, error
  FROM schema_version ORDER BY version;
";

/// The lines of one database, without its name.
pub(super) fn picture(database: &TestDatabase<'_>, name: &str) -> anyhow::Result<Vec<String>> {
    let ledger = format!("--ignore-table={name}.schema_version");
    // Definitions as SHOW CREATE gives them, and all rows, by key.
    let dump = [
        "mysqldump",
        "-uroot",
        "--routines",
        "--events",
        "--triggers",
        "--skip-comments",
        "--skip-add-locks",
        "--skip-lock-tables",
        "--skip-extended-insert",
        "--order-by-primary",
        "--no-tablespaces",
        &ledger,
        name,
    ];
    let mut text = database.sql(name, CATALOGUE)?;
    text.push_str(&database.inside(&dump, "")?);
    let lines = text.lines();
    Ok(lines.map(|line| line.replace(name, "(database)")).collect())
}
