//! `admin create`: an account that may do everything. There is no other way to the first one.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::say;
use crate::accounts::{self, NewUser, Status};
use crate::auth::{Hasher, Password, Role, Token};
use crate::config::{DatabaseUrl, Source};

const EXAMPLES: &str = "\
Examples:
  sysndd-api admin create --user-name marie --email marie@example.org
      makes a password and prints it
  SYSNDD_ADMIN_PASSWORD_FILE=/run/secrets/admin sysndd-api admin create --if-none \\
      --user-name marie --email marie@example.org
      for scripts: does nothing where there is an administrator already";

/// Who.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// 5 to 20 letters, digits, dots, dashes or underscores, the first one a letter
    #[arg(long)]
    user_name: String,
    /// Letters go there; an administrator can change it later
    #[arg(long)]
    email: String,
    #[arg(long, default_value = "Site")]
    first_name: String,
    #[arg(long, default_value = "Administrator")]
    family_name: String,
    /// Do nothing where an active administrator is there
    #[arg(long)]
    if_none: bool,
}

/// Makes the account; its password is the one of `SYSNDD_ADMIN_PASSWORD`, or a random one that is
/// printed.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let given = source.text("SYSNDD_ADMIN_PASSWORD");
    let url = DatabaseUrl::read(&mut source);
    let url = source.finish(url)?;
    for (value, fault) in [
        ("--user-name", accounts::user_name(&args.user_name, &())),
        ("--first-name", accounts::person_name(&args.first_name, &())),
        (
            "--family-name",
            accounts::person_name(&args.family_name, &()),
        ),
    ] {
        if let Err(error) = fault {
            bail!("{value} {error}");
        }
    }
    let text = given
        .clone()
        .unwrap_or_else(|| Token::random().expose()[..24].to_owned());
    let mut conn = Conn::new(url.opts())
        .await
        .with_context(|| format!("connecting to {url}"))?;
    let there: Option<String> = conn
        .exec_first(
            "SELECT user_name FROM users WHERE role_id = ? AND status = 'active' ORDER BY user_id",
            (Role::Administrator.id(),),
        )
        .await
        .context("looking for administrators; has `serve` or `migrate up` made the tables?")?;
    if let (true, Some(name)) = (args.if_none, there) {
        return say(&format!("there is an administrator already: {name}"));
    }
    if let Err(error) = accounts::email(&args.email) {
        bail!("--email {error}");
    }
    let password = Password::from(text.as_str());
    if let Err(fault) = password.check() {
        bail!("SYSNDD_ADMIN_PASSWORD {fault}");
    }
    let password_hash = Hasher::new().hash(password).await?;
    let user = NewUser {
        user_name: &args.user_name,
        email: &args.email,
        password_hash: &password_hash,
        first_name: &args.first_name,
        family_name: &args.family_name,
        orcid: None,
        comment: "made at the command line",
        role: Role::Administrator,
        status: Status::Active,
    };
    match accounts::sign_up(&mut conn, &user).await {
        Ok(_) => {}
        Err(error) if error.is_duplicate() => bail!(
            "there is an account with the name {} or the address {} already; an administrator can change its role",
            args.user_name,
            args.email
        ),
        Err(error) => return Err(error).context("making the account"),
    }
    // A farewell that is not heard changes nothing.
    let _ = conn.disconnect().await;
    say(&match given {
        Some(_) => format!("made the administrator {}", args.user_name),
        None => format!(
            "made the administrator {}; password: {text}",
            args.user_name
        ),
    })
}
