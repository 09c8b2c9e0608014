//! What a restore does not bring back: jobs, sessions and tokens stay as they are.
//!
//! A job that was done must not be done again, a session that was ended must not come back to life, and
//! the restore itself is a job whose end somebody waits for. What belongs to an account goes along only
//! if the account is in the backup: the same number and the same moment at which it was made.
//!
//! A restore that is taken back has lost none of that: the tables that come back still hold all of it,
//! and behind the fence only the queue went on.

use std::collections::BTreeSet;

use mysql_async::Conn;

use super::super::Error;
use super::schema::{Name, columns};

/// A table that stays.
#[derive(Debug, Clone, Copy)]
struct Carried {
    table: &'static str,
    owner: Owner,
}

/// Whom a row belongs to.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Nobody,
    /// The account that this column names; without it the row goes.
    Account(&'static str),
    /// The account that this column names; without it the row belongs to nobody.
    Perhaps(&'static str),
}

const CARRIED: [Carried; 5] = [
    Carried {
        table: "jobs",
        owner: Owner::Perhaps("created_by"),
    },
    Carried {
        table: "job_schedule",
        owner: Owner::Nobody,
    },
    Carried {
        table: "sessions",
        owner: Owner::Account("user_id"),
    },
    Carried {
        table: "user_tokens",
        owner: Owner::Account("user_id"),
    },
    Carried {
        table: "account_pace",
        owner: Owner::Account("user_id"),
    },
];

/// What a restore does before the tables of the backup become the live ones: all of it while all tables
/// are locked, in this order.
pub(super) async fn forward(
    conn: &mut Conn,
    live: (&str, &[String]),
    incoming: (&str, &[String]),
) -> Result<Vec<String>, Error> {
    let ((live, live_tables), (incoming, incoming_tables)) = (live, incoming);
    let both = |table: &str| has(live_tables, table) && has(incoming_tables, table);
    let mut statements = Vec::new();
    // Where either side has lost its accounts nobody is known.
    let known = both("users").then(|| {
        let (live_users, users) = (
            format!("{}.users", Name(live)),
            format!("{}.users", Name(incoming)),
        );
        let same = format!(
            "{users}.user_id = {live_users}.user_id AND {users}.created_at = {live_users}.created_at"
        );
        // Sessions are of an epoch; an older one would bring ended ones back.
        statements.push(format!(
            "UPDATE {users}, {live_users} \
             SET {users}.session_epoch = GREATEST({users}.session_epoch, {live_users}.session_epoch) WHERE {same}"
        ));
        format!("SELECT {users}.user_id FROM {users} JOIN {live_users} ON {same}")
    });
    for Carried { table, owner } in CARRIED {
        if !has(incoming_tables, table) {
            continue;
        }
        let into = format!("{}.{}", Name(incoming), Name(table));
        statements.push(format!("DELETE FROM {into}"));
        if !both(table) {
            continue;
        }
        let from = format!("{}.{}", Name(live), Name(table));
        let common = common(conn, live, incoming, table).await?;
        let names: Vec<_> = common
            .iter()
            .map(|column| Name(column).to_string())
            .collect();
        let values: Vec<_> = common
            .iter()
            .map(|column| match owner {
                Owner::Perhaps(account) if column.as_str() == account => match &known {
                    Some(known) => format!("IF({account} IN ({known}), {account}, NULL)"),
                    None => "NULL".to_owned(),
                },
                _ => Name(column).to_string(),
            })
            .collect();
        let condition = match (owner, &known) {
            (Owner::Account(account), Some(known)) => format!(" WHERE {account} IN ({known})"),
            (Owner::Account(_), None) => continue,
            _ => String::new(),
        };
        statements.push(format!(
            "INSERT INTO {into} ({}) SELECT {} FROM {from}{condition}",
            names.join(", "),
            values.join(", ")
        ));
    }
    Ok(statements)
}

/// What is done before the original tables become the live ones again, under the same locks: the queue
/// comes to where it is now. Nothing else changed behind the fence, so nothing else is touched.
pub(super) async fn back(
    conn: &mut Conn,
    live: (&str, &[String]),
    original: (&str, &[String]),
) -> Result<Vec<String>, Error> {
    let ((live, live_tables), (original, original_tables)) = (live, original);
    let mut statements = Vec::new();
    // A number alone may be another job's, if the backup was older than the queue.
    for (table, key) in [
        ("jobs", &["job_id", "kind", "created_at"][..]),
        ("job_schedule", &["kind"][..]),
    ] {
        if !has(live_tables, table) || !has(original_tables, table) {
            continue;
        }
        let into = format!("{}.{}", Name(original), Name(table));
        let from = format!("{}.{}", Name(live), Name(table));
        // Whose a job is stands in the original: the account may be missing in what was restored.
        let common: Vec<_> = common(conn, live, original, table)
            .await?
            .into_iter()
            .filter(|column| column != "created_by")
            .collect();
        let same: Vec<_> = key
            .iter()
            .map(|column| format!("{into}.{column} = {from}.{column}"))
            .collect();
        let set: Vec<_> = common
            .iter()
            .filter(|column| !key.contains(&column.as_str()))
            .map(|column| format!("{into}.{0} = {from}.{0}", Name(column)))
            .collect();
        statements.push(format!(
            "UPDATE {into}, {from} SET {} WHERE {}",
            set.join(", "),
            same.join(" AND ")
        ));
        // What came in since is by the clock, and nobody's; what is there already stays.
        let names: Vec<_> = common
            .iter()
            .map(|column| Name(column).to_string())
            .collect();
        let names = names.join(", ");
        statements.push(format!(
            "INSERT IGNORE INTO {into} ({names}) SELECT {names} FROM {from}"
        ));
    }
    Ok(statements)
}

fn has(tables: &[String], table: &str) -> bool {
    tables.iter().any(|it| it == table)
}

/// The columns that a table has in both schemas.
async fn common(
    conn: &mut Conn,
    one: &str,
    other: &str,
    table: &str,
) -> Result<Vec<String>, Error> {
    let theirs: BTreeSet<_> = columns(conn, other, table).await?.into_iter().collect();
    let mut common = columns(conn, one, table).await?;
    common.retain(|column| theirs.contains(column));
    Ok(common)
}
