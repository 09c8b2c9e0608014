//! Who holds the migration lock and what it is doing, in words, as far as the server tells a user
//! without special privileges. It decides nothing: a name is for people.
//!
//! The replica's name comes from its connection's attributes; where the server keeps none, from the
//! ledger's row of the file that is under way. What the connection is doing comes from the process
//! list, which shows everyone their own user's connections. Whether a client is still there cannot
//! be seen: the server finishes a statement of one that died, and only then frees the lock.

use std::fmt;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use crate::error::shortened;
use crate::ledger::{LEDGER_TABLE, State};

/// Connection attribute by which an applier tells its name to those who wait.
pub(crate) const REPLICA_ATTRIBUTE: &str = "replica";

/// Who holds the lock, as far as the server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) connection: u32,
    pub(crate) replica: Option<String>,
    /// Where it comes from, as the server writes it: address or name, `:`, port.
    pub(crate) host: Option<String>,
    /// What the ledger says of the file under way, where the connection has no name itself.
    pub(crate) began: Option<Began>,
    pub(crate) doing: Option<Doing>,
}

/// The file that is under way and who began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Began {
    pub(crate) replica: String,
    pub(crate) file: String,
}

/// What a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doing {
    /// `Query`, `Sleep`, `Killed`, ...
    pub(crate) command: String,
    /// For how long, in seconds.
    pub(crate) seconds: u64,
    /// The statement, shortened.
    pub(crate) statement: Option<String>,
}

impl Holder {
    /// Names the holder of a connection. What the user's privileges or the server's settings hide
    /// is left out.
    pub(crate) async fn of(conn: &mut Conn, connection: u32) -> Self {
        let attribute = format!(
            "SELECT ATTR_VALUE FROM performance_schema.session_account_connect_attrs \
             WHERE PROCESSLIST_ID = {connection} AND ATTR_NAME = '{REPLICA_ATTRIBUTE}'"
        );
        let replica: Option<String> = conn.query_first(attribute).await.ok().flatten();
        let process = format!(
            "SELECT HOST, COMMAND, TIME, INFO FROM information_schema.PROCESSLIST WHERE ID = {connection}"
        );
        let process: Option<Row> = conn.query_first(process).await.ok().flatten();
        let began = match replica {
            Some(_) => None,
            None => Began::in_ledger(conn).await,
        };
        Self {
            connection,
            replica,
            host: process.as_ref().and_then(|row| text(row, "HOST")),
            began,
            doing: process.as_ref().and_then(Doing::of),
        }
    }

    /// A holder of whom nothing but the connection is known.
    pub(crate) fn unnamed(connection: u32) -> Self {
        Self {
            connection,
            replica: None,
            host: None,
            began: None,
            doing: None,
        }
    }

    /// Whether the server knows nothing of it: it has just ended, or is another user's.
    pub(crate) fn is_unseen(&self) -> bool {
        self.replica.is_none() && self.host.is_none()
    }

    /// Whether both are one applier: its connection changes during a pass, its name does not.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.connection == other.connection
            || (self.replica.is_some() && self.replica == other.replica)
    }
}

impl Began {
    async fn in_ledger(conn: &mut Conn) -> Option<Self> {
        let query = format!(
            "SELECT applied_by, filename FROM {LEDGER_TABLE} \
             WHERE state = '{}' AND applied_by IS NOT NULL ORDER BY applied_at DESC LIMIT 1",
            State::Running.as_str()
        );
        let (replica, file) = conn.query_first(query).await.ok().flatten()?;
        Some(Self { replica, file })
    }
}

impl Doing {
    fn of(row: &Row) -> Option<Self> {
        let seconds = row.get_opt::<Option<i64>, _>("TIME")?.ok()??;
        Some(Self {
            command: text(row, "COMMAND")?,
            seconds: u64::try_from(seconds).unwrap_or(0),
            statement: text(row, "INFO")
                .filter(|text| !text.is_empty())
                .map(|text| shortened(&text)),
        })
    }
}

fn text(row: &Row, column: &str) -> Option<String> {
    row.get_opt::<Option<String>, _>(column)?.ok()?
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self
            .host
            .as_ref()
            .map(|host| format!(" from {host}"))
            .unwrap_or_default();
        match &self.replica {
            Some(replica) => write!(
                f,
                "replica {replica} (connection {}{from})",
                self.connection
            ),
            None => write!(f, "connection {}{from}", self.connection),
        }?;
        if let Some(Began { replica, file }) = &self.began {
            write!(f, " (replica {replica} began {file})")?;
        }
        self.doing.as_ref().map_or(Ok(()), |doing| doing.fmt(f))
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds;
        match (&self.statement, self.command.as_str()) {
            (Some(statement), "Killed") => write!(
                f,
                ", killed and still at work on `{statement}` for {seconds} s"
            ),
            (Some(statement), _) => write!(f, ", which runs `{statement}` for {seconds} s"),
            (None, "Sleep") if seconds > 0 => write!(f, ", idle for {seconds} s"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(connection: u32, replica: Option<&str>) -> Holder {
        Holder {
            replica: replica.map(str::to_owned),
            host: Some("172.18.0.3:4".to_owned()),
            ..Holder::unnamed(connection)
        }
    }

    fn doing(command: &str, statement: Option<&str>) -> Doing {
        Doing {
            command: command.to_owned(),
            seconds: 12,
            statement: statement.map(str::to_owned),
        }
    }

    #[test]
    fn a_holder_is_named_as_far_as_it_is_known() {
        let named = holder(7, Some("api-1"));
        assert_eq!(
            named.to_string(),
            "replica api-1 (connection 7 from 172.18.0.3:4)"
        );
        assert_eq!(Holder::unnamed(7).to_string(), "connection 7");
        let began = Some(Began {
            replica: "api-1".into(),
            file: "003_c.sql".into(),
        });
        assert_eq!(
            Holder {
                began,
                ..holder(7, None)
            }
            .to_string(),
            "connection 7 from 172.18.0.3:4 (replica api-1 began 003_c.sql)"
        );
    }

    #[test]
    fn what_it_does_is_said_with_how_long() {
        let said = |doing| {
            Holder {
                doing: Some(doing),
                ..Holder::unnamed(7)
            }
            .to_string()
        };
        let alter = Some("ALTER TABLE a ADD b INT");
        assert_eq!(
            said(doing("Query", alter)),
            "connection 7, which runs `ALTER TABLE a ADD b INT` for 12 s"
        );
        assert_eq!(
            said(doing("Killed", alter)),
            "connection 7, killed and still at work on `ALTER TABLE a ADD b INT` for 12 s"
        );
        assert_eq!(said(doing("Sleep", None)), "connection 7, idle for 12 s");
    }

    #[test]
    fn one_applier_is_known_by_its_name_over_several_connections() {
        let named = holder(7, Some("api-1"));
        assert!(named.is_same_as(&holder(8, Some("api-1"))));
        assert!(!named.is_same_as(&holder(8, Some("api-2"))));
        assert!(!holder(7, None).is_same_as(&holder(8, None)));
    }
}
