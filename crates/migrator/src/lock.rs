//! The migration lock: who may migrate one database.
//!
//! `GET_LOCK` belongs to a connection and is freed when that ends, so a dead holder never wedges
//! anyone. It must be held by the very connection that runs the statements: a lock on another one
//! would be free while a killed applier's last statement still runs in the server. But a session
//! cannot be cleaned between two files without losing it (`COM_RESET_CONNECTION` frees it), and a
//! new session cannot inherit it. So the lock has **two keys**, and these rules:
//!
//! - to *begin*, take key 0 and then see key 1 free, else give key 0 back;
//! - to *go on*, hold one of them, whichever;
//! - to *change the session*, the new one takes the other key before the old one ends.
//!
//! Who holds key 0 keeps everyone else from beginning. Who holds key 1 is seen by anyone that
//! took key 0. At no moment of a pass are both free, so no second applier can begin inside it.
//!
//! Nobody ever queues: every attempt has a time-out of 0.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sha2::{Digest as _, Sha256};

use crate::error::MigrateError;
use crate::files::hex;
use crate::holder::Holder;

/// `MySQL` takes no longer lock names.
const LONGEST_NAME: usize = 64;

/// One of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Zero,
    One,
}

impl Key {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }
}

/// The lock's names. They hold the database's, since lock names are global to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    zero: String,
    one: String,
}

impl Keys {
    pub(crate) fn of(database: &str) -> Self {
        let mut base = format!("schema-migration:{database}");
        if base.len() + 2 > LONGEST_NAME
            || !database
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte))
        {
            base = format!("schema-migration:{}", &hex(&Sha256::digest(database))[..32]);
        }
        Self {
            zero: format!("{base}:0"),
            one: format!("{base}:1"),
        }
    }

    fn name(&self, key: Key) -> &str {
        match key {
            Key::Zero => &self.zero,
            Key::One => &self.one,
        }
    }

    /// SQL for the connection that holds the lock; NULL when nobody does. The names need no
    /// escape, see [`Keys::of`].
    pub(crate) fn used_by_expression(&self) -> String {
        format!(
            "COALESCE(IS_USED_LOCK('{}'), IS_USED_LOCK('{}'))",
            self.zero, self.one
        )
    }

    /// The connection that holds the lock.
    pub(crate) async fn used_by(&self, conn: &mut Conn) -> Result<Option<u32>, MigrateError> {
        let query = format!("SELECT {}", self.used_by_expression());
        let answer: Option<Option<u32>> = conn
            .query_first(query)
            .await
            .map_err(|source| failed("ask who holds", source))?;
        Ok(answer.flatten())
    }

    /// Tries to begin: true when this connection now holds the lock.
    pub(crate) async fn begin(&self, conn: &mut Conn) -> Result<bool, MigrateError> {
        if !self.take(conn, Key::Zero).await? {
            return Ok(false);
        }
        let query = format!("SELECT IS_USED_LOCK('{}')", self.one);
        let other: Option<Option<u32>> = conn
            .query_first(query)
            .await
            .map_err(|source| failed("ask who holds", source))?;
        if other.flatten().is_some() {
            self.free(conn, Key::Zero).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Tries to take one key for this connection.
    pub(crate) async fn take(&self, conn: &mut Conn, key: Key) -> Result<bool, MigrateError> {
        let query = format!("SELECT GET_LOCK('{}', 0)", self.name(key));
        let answer: Option<Option<i64>> = conn
            .query_first(query)
            .await
            .map_err(|source| failed("take", source))?;
        // NULL is an error inside the server, such as no memory: not ours.
        Ok(answer.flatten() == Some(1))
    }

    /// Whether this connection has the key.
    pub(crate) async fn has(&self, conn: &mut Conn, key: Key) -> Result<bool, MigrateError> {
        let query = format!(
            "SELECT IS_USED_LOCK('{}') = CONNECTION_ID()",
            self.name(key)
        );
        let answer: Option<Option<i64>> = conn
            .query_first(query)
            .await
            .map_err(|source| failed("look after", source))?;
        Ok(answer.flatten() == Some(1))
    }

    /// Gives one key back.
    pub(crate) async fn free(&self, conn: &mut Conn, key: Key) -> Result<(), MigrateError> {
        let query = format!("DO RELEASE_LOCK('{}')", self.name(key));
        conn.query_drop(query)
            .await
            .map_err(|source| failed("release", source))
    }
}

fn failed(doing: &'static str, source: mysql_async::Error) -> MigrateError {
    MigrateError::Lock { doing, source }
}

/// Who holds the migration lock of the connection's database, as far as the server tells: the
/// replica's name, its connection, where it comes from and what it is doing.
pub async fn lock_holder(conn: &mut Conn) -> Result<Option<String>, MigrateError> {
    let keys = Keys::of(conn.opts().db_name().ok_or(MigrateError::NoDatabase)?);
    match keys.used_by(conn).await? {
        Some(connection) => Ok(Some(Holder::of(conn, connection).await.to_string())),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_database_and_fit() {
        assert_eq!(Keys::of("sysndd").zero, "schema-migration:sysndd:0");
        assert_eq!(Keys::of("sysndd").one, "schema-migration:sysndd:1");
        for odd in [
            "x".repeat(64),
            "it's".to_owned(),
            "söhne".to_owned(),
            String::new(),
        ] {
            let keys = Keys::of(&odd);
            assert!(keys.zero.len() <= LONGEST_NAME, "{}", keys.zero);
            assert!(!keys.zero.contains('\''), "{}", keys.zero);
            assert_ne!(keys, Keys::of("sysndd"));
        }
    }
}
