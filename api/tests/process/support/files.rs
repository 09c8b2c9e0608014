//! Migrations to run.

use std::path::PathBuf;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// The migrations that are shipped.
pub(crate) fn shipped_migrations() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../migrations")
}

/// A directory with these files.
pub(crate) fn migrations(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    dir
}

/// A migration that runs until the gate is opened.
pub(crate) const GATE: (&str, &str) = ("002_gate.sql", "INSERT INTO gate VALUES (1);");

/// Shuts the gate until this connection says `UNLOCK TABLES` or ends.
pub(crate) async fn shut_gate(conn: &mut Conn) {
    conn.query_drop("CREATE TABLE gate (passed INT)")
        .await
        .expect("made");
    conn.query_drop("LOCK TABLES gate WRITE")
        .await
        .expect("shut");
}
