//! `admin restore-account`: the account that restores backups. It may do more than the application's,
//! and less than the server's own.

use std::process::ExitCode;

use anyhow::Context as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

use crate::config::{DatabaseUrl, Source};

const EXAMPLES: &str = "\
Examples:
  SYSNDD_ROOT_DATABASE_URL=mysql://root:…@db:3306/sysndd \\
  SYSNDD_RESTORE_DATABASE_URL=mysql://sysndd_restore:…@db:3306/sysndd sysndd-api admin restore-account
      makes the account sysndd_restore, or gives it this password and what it lacks";

/// What it may do beyond its three schemas: see and make what belongs to the application's account.
const BEYOND: &str = "SHOW_ROUTINE, SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER";

/// Everything is in the environment.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Makes the account that `SYSNDD_RESTORE_DATABASE_URL` names, as the one of `SYSNDD_ROOT_DATABASE_URL`.
pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let root = DatabaseUrl::require(&mut source, "SYSNDD_ROOT_DATABASE_URL");
    let restore = DatabaseUrl::require(&mut source, "SYSNDD_RESTORE_DATABASE_URL");
    let (root, restore) = source.finish(root.zip(restore))?;
    let opts = restore.opts();
    let (user, database) = (
        opts.user().unwrap_or_default(),
        opts.db_name().unwrap_or_default(),
    );
    // The database need not be there yet.
    let mut conn = Conn::new(OptsBuilder::from_opts(root.opts()).db_name(None::<&str>))
        .await
        .with_context(|| format!("connecting to {root}"))?;
    // Without backslashes having a meaning, a quote is the only character that has one.
    let mut statements =
        vec!["SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')".to_owned()];
    let who = format!("{}@'%'", quoted(user));
    let password = quoted(opts.pass().unwrap_or_default());
    statements.push(format!(
        "CREATE USER IF NOT EXISTS {who} IDENTIFIED BY {password}"
    ));
    statements.push(format!("ALTER USER {who} IDENTIFIED BY {password}"));
    for schema in ["", "__restore", "__old"] {
        statements.push(format!(
            "GRANT ALL ON {}.* TO {who}",
            pattern(database, schema)
        ));
    }
    statements.push(format!("GRANT {BEYOND} ON *.* TO {who}"));
    for statement in statements {
        // It may hold the password.
        conn.query_drop(statement)
            .await
            .with_context(|| format!("making the account {user}, as {root}"))?;
    }
    conn.disconnect().await.context("saying good-bye")?;
    super::say(&format!("{user} may restore {database}"))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// In a grant, `_` and `%` of a name would be wildcards. The escape is one there in any mode.
fn pattern(database: &str, suffix: &str) -> String {
    let name = format!("{database}{suffix}")
        .replace('_', "\\_")
        .replace('%', "\\%");
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_these_schemas_and_no_others_like_them() {
        assert_eq!(pattern("my_db", "__old"), "`my\\_db\\_\\_old`");
        assert_eq!(quoted("a'b\\"), "'a''b\\'");
    }
}
