//! `/api/admin/users`: roles, and who may sign in.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, NaiveDateTime, Utc};
use garde::Validate;
use mysql_async::prelude::FromRow;
use mysql_async::prelude::Queryable;
use mysql_async::{FromRowError, Row, Transaction, TxOpts, params};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{self, Status};
use crate::auth::{Actor, Administrator, Role, revoke_links};
use crate::db;
use crate::http::{Answer, ApiError, Json, Path, Problem, Query};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, change))
        .routes(routes!(unlock))
}

/// An account, to administrators.
#[expect(clippy::struct_field_names, reason = "the API's names")]
#[derive(Debug, Serialize, ToSchema)]
struct User {
    user_id: u64,
    user_name: String,
    email: String,
    first_name: String,
    family_name: String,
    orcid: Option<String>,
    /// What the account is wanted for
    comment: String,
    role: Role,
    status: Status,
    /// It rests until then, because there were too many wrong passwords
    locked_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
struct Users {
    users: Vec<User>,
    /// To be given as `after` for the next page; absent on the last one
    next: Option<u64>,
}

/// Which accounts.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Begins like this: user name, address or family name
    #[garde(length(chars, max = 254))]
    q: Option<String>,
    #[garde(skip)]
    status: Option<Status>,
    #[garde(skip)]
    role: Option<Role>,
    /// The `next` of the page before
    #[garde(skip)]
    after: Option<u64>,
    /// 1 to 100; 50 unless told
    #[garde(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// What is to change; the rest stays.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    #[garde(skip)]
    role: Option<Role>,
    /// `active` or `disabled`
    #[garde(skip)]
    status: Option<Status>,
    /// Links in letters to the address of before are void
    #[garde(email, length(bytes, max = 254))]
    #[schema(format = "email", max_length = 254)]
    email: Option<String>,
}

const COLUMNS: &str = "user_id, user_name, email, first_name, family_name, orcid, comment, role_id, \
     CAST(status AS CHAR) AS status_name, \
     IF(locked_until > UTC_TIMESTAMP(6), locked_until, NULL) AS resting_until, created_at, confirmed_at";

/// Accounts, newest first
#[utoipa::path(get, path = "/users", tag = "admin: users", params(Which),
    security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "A page of them", body = Users),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 403, description = "Not an administrator", body = Problem),
))]
async fn list(
    State(app): State<Arc<App>>,
    _administrator: Administrator,
    Query(which): Query<Which>,
) -> Answer<axum::Json<Users>> {
    let limit = which.limit.unwrap_or(50);
    let mut conn = app.db.conn().await?;
    let mut users: Vec<User> = conn
        .exec(
            format!(
                "SELECT {COLUMNS} FROM users \
                 WHERE (:after IS NULL OR user_id < :after) \
                   AND (:status IS NULL OR status = :status) \
                   AND (:role IS NULL OR role_id = :role) \
                   AND (:q IS NULL OR user_name LIKE :q OR email LIKE :q OR family_name LIKE :q) \
                 ORDER BY user_id DESC LIMIT :limit"
            ),
            params! {
                "after" => which.after,
                "status" => which.status.map(Status::name),
                "role" => which.role.map(Role::id),
                "q" => which.q.as_deref().map(begins_with),
                // One more tells whether there is a next page.
                "limit" => limit + 1,
            },
        )
        .await?;
    let is_last = users.len() <= limit as usize;
    users.truncate(limit as usize);
    let next = users.last().map(|user| user.user_id).filter(|_| !is_last);
    Ok(axum::Json(Users { users, next }))
}

/// A pattern for LIKE in which nothing that was typed has a meaning.
fn begins_with(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| {
            let escape = matches!(c, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([c])
        })
        .collect();
    format!("{escaped}%")
}

/// One account
#[utoipa::path(get, path = "/users/{user_id}", tag = "admin: users", params(("user_id" = u64, Path)),
    security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "The account", body = User),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 403, description = "Not an administrator", body = Problem),
    (status = 404, description = "There is none with this number", body = Problem),
))]
async fn show(
    State(app): State<Arc<App>>,
    _administrator: Administrator,
    Path(user_id): Path<u64>,
) -> Answer<axum::Json<User>> {
    let mut conn = app.db.conn().await?;
    Ok(axum::Json(find(&mut conn, user_id, "").await?))
}

/// Change a role, an address, or who may sign in
///
/// Takes effect with the next request of whoever it is about. Who is disabled loses all sessions and the tokens of
/// all scripts. Nobody changes their own role or status, so that there is always an administrator.
#[utoipa::path(patch, path = "/users/{user_id}", tag = "admin: users", params(("user_id" = u64, Path)),
    request_body = UserChange, security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "The account as it is now", body = User),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 403, description = "Not an administrator", body = Problem),
    (status = 404, description = "There is none with this number", body = Problem),
    (status = 409, description = "It is one's own account, or the address is another's", body = Problem),
    (status = 422, description = "Values are refused", body = Problem),
))]
async fn change(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(user_id): Path<u64>,
    Json(change): Json<UserChange>,
) -> Answer<axum::Json<User>> {
    if change.status == Some(Status::Unconfirmed) {
        return Err(ApiError::invalid("status", "must be active or disabled"));
    }
    if user_id == actor.user_id && (change.role.is_some() || change.status.is_some()) {
        return Err(ApiError::conflict(
            "nobody changes their own role or status; ask another administrator",
        ));
    }
    let mut conn = app.db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    hold_administrators(&mut tx, &actor).await?;
    let before = find(&mut tx, user_id, "FOR UPDATE").await?;
    let role = change.role.unwrap_or(before.role);
    let status = change.status.unwrap_or(before.status);
    let email = change.email.as_deref().unwrap_or(&before.email);
    tx.exec_drop(
        "UPDATE users SET role_id = :role, email = :email, \
                session_epoch = session_epoch + IF(:status = 'disabled' AND status <> 'disabled', 1, 0), \
                confirmed_at = IF(:status = 'active', COALESCE(confirmed_at, UTC_TIMESTAMP(6)), confirmed_at), \
                status = :status \
         WHERE user_id = :user_id",
        params! { user_id, "role" => role.id(), email, "status" => status.name() },
    )
    .await
    .map_err(db::Error::from)
    .map_err(|error| {
        if error.is_duplicate() {
            ApiError::conflict("another account has this address")
        } else {
            error.into()
        }
    })?;
    // Who is disabled stays without them when the account is opened again.
    if status == Status::Disabled {
        accounts::revoke_scripts(&mut tx, user_id).await?;
    }
    if email != before.email {
        revoke_links(&mut tx, user_id).await?;
    }
    let after = find(&mut tx, user_id, "").await?;
    tx.commit().await?;
    tracing::info!(
        user_id,
        by = actor.user_id,
        role = ?role,
        status = ?status,
        address_changed = email != before.email,
        "an account was changed by an administrator"
    );
    Ok(axum::Json(after))
}

/// Two administrators who take each other's role at the same time would leave none: one after the other they
/// come, and whoever is none any more by then changes nothing.
async fn hold_administrators(tx: &mut Transaction<'_>, actor: &Actor) -> Answer<()> {
    let administrators: Vec<u64> = tx
        .exec(
            "SELECT user_id FROM users WHERE role_id = :role AND status = 'active' \
             ORDER BY user_id FOR UPDATE",
            params! { "role" => Role::Administrator.id() },
        )
        .await?;
    if administrators.contains(&actor.user_id) {
        Ok(())
    } else {
        Err(ApiError::Forbidden {
            detail: "this is for administrators".into(),
        })
    }
}

/// Let an account sign in again at once
///
/// Forgets the wrong passwords that made it rest.
#[utoipa::path(post, path = "/users/{user_id}/unlock", tag = "admin: users", params(("user_id" = u64, Path)),
    security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "The account as it is now", body = User),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 403, description = "Not an administrator", body = Problem),
    (status = 404, description = "There is none with this number", body = Problem),
))]
async fn unlock(
    State(app): State<Arc<App>>,
    _administrator: Administrator,
    Path(user_id): Path<u64>,
) -> Answer<axum::Json<User>> {
    let mut conn = app.db.conn().await?;
    accounts::forget_wrong_passwords(&mut conn, user_id).await?;
    Ok(axum::Json(find(&mut conn, user_id, "").await?))
}

async fn find(conn: &mut impl Queryable, user_id: u64, lock: &str) -> Answer<User> {
    let user: Option<User> = conn
        .exec_first(
            format!("SELECT {COLUMNS} FROM users WHERE user_id = :user_id {lock}"),
            params! { user_id },
        )
        .await?;
    user.ok_or_else(|| ApiError::not_found(format!("there is no user {user_id}")))
}

impl FromRow for User {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        let utc = |time: NaiveDateTime| time.and_utc();
        let user = (|| {
            Some(Self {
                user_id: row.take("user_id")?,
                user_name: row.take("user_name")?,
                email: row.take("email")?,
                first_name: row.take("first_name")?,
                family_name: row.take("family_name")?,
                orcid: row.take("orcid")?,
                comment: row.take("comment")?,
                role: Role::from_id(row.take("role_id")?)?,
                status: Status::from_name(&row.take::<String, _>("status_name")?)?,
                locked_until: row.take::<Option<_>, _>("resting_until")?.map(utc),
                created_at: row.take("created_at").map(utc)?,
                confirmed_at: row.take::<Option<_>, _>("confirmed_at")?.map(utc),
            })
        })();
        user.ok_or(FromRowError(row))
    }
}
