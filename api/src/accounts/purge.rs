//! `accounts.purge`: forgets what nobody can use any more: sessions that ended, tokens that are too
//! old, accounts whose address was never confirmed, and at what pace an address got letters that are long past.

use std::sync::Arc;

use mysql_async::{Params, params};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jobs::{self, Failure, Handler, Turn};
use crate::state::App;

/// Days after which an account that was never confirmed frees its name and address, unless a link
/// for it is still good.
const UNCONFIRMED_DAYS: u32 = 7;

#[derive(Debug, Deserialize)]
pub(crate) struct Purge {}

impl Handler for Purge {
    const KIND: &'static str = "accounts.purge";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let sessions = jobs::delete(
            &app,
            &turn,
            "sessions WHERE expires_at < UTC_TIMESTAMP(6) ORDER BY expires_at",
            Params::Empty,
        )
        .await?;
        // Not before the mail's job is forgotten: run again, it would make the token again, unused.
        let retention = app.jobs.config().retention.as_secs();
        let tokens = jobs::delete(
            &app,
            &turn,
            "user_tokens WHERE expires_at < UTC_TIMESTAMP(6) - INTERVAL :retention SECOND \
             ORDER BY expires_at",
            params! { retention },
        )
        .await?;
        let accounts = jobs::delete(
            &app,
            &turn,
            "users WHERE status = 'unconfirmed' \
             AND created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY \
             AND NOT EXISTS (SELECT 1 FROM user_tokens t WHERE t.user_id = users.user_id \
             AND t.purpose = 'confirm_email' AND t.used_at IS NULL AND t.expires_at > UTC_TIMESTAMP(6)) \
             ORDER BY created_at",
            params! { "days" => UNCONFIRMED_DAYS },
        )
        .await?;
        let paces = jobs::delete(
            &app,
            &turn,
            "mail_pace WHERE due_at < UTC_TIMESTAMP(6) ORDER BY due_at",
            Params::Empty,
        )
        .await?;
        Ok(json!({ "sessions": sessions, "tokens": tokens, "accounts": accounts, "paces": paces }))
    }
}
