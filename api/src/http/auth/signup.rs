//! `POST /api/auth/signup`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mysql_async::{Transaction, TxOpts};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{needs_mail, same_time};
use crate::accounts::{self, Known, NewUser, Status};
use crate::auth::{Password, Purpose, Role, may_be_set, may_send};
use crate::db;
use crate::http::{Answer, Json, Problem};
use crate::mail::{self, Letter};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(sign_up))
}

/// Who wants an account.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignUp {
    /// 5 to 20 letters, digits, dots, dashes or underscores, the first one a letter
    #[garde(custom(accounts::user_name))]
    #[schema(min_length = 5, max_length = 20, pattern = "^[A-Za-z][A-Za-z0-9._-]*$")]
    user_name: String,
    #[garde(email, length(bytes, max = 254))]
    #[schema(format = "email", max_length = 254)]
    email: String,
    /// 10 to 128 characters
    #[garde(custom(may_be_set))]
    #[schema(value_type = String, format = "password", min_length = 10, max_length = 128)]
    password: Password,
    #[garde(custom(accounts::person_name))]
    #[schema(min_length = 2, max_length = 50)]
    first_name: String,
    #[garde(custom(accounts::person_name))]
    #[schema(min_length = 2, max_length = 50)]
    family_name: String,
    /// With its check digit, as 0000-0002-1825-0097
    #[garde(custom(accounts::orcid))]
    orcid: Option<String>,
    /// What the account is wanted for
    #[garde(length(chars, min = 10, max = 250))]
    #[schema(min_length = 10, max_length = 250)]
    comment: String,
    /// Must be true
    #[garde(custom(accounts::agreed))]
    terms_agreed: bool,
}

/// Ask for an account
///
/// What comes of it goes by mail to the given address: a link to confirm it, or why there is no
/// new account. The answer is the same.
#[utoipa::path(post, path = "/auth/signup", tag = "auth", request_body = SignUp, responses(
    (status = 202, description = "A mail is on its way"),
    (status = 422, description = "Values are refused", body = Problem),
    (status = 503, description = "Mail is not set up", body = Problem),
))]
async fn sign_up(State(app): State<Arc<App>>, Json(wish): Json<SignUp>) -> Answer<StatusCode> {
    needs_mail(&app)?;
    same_time(async {
        let password_hash = app.hasher.hash(wish.password.clone()).await?;
        let user = NewUser {
            user_name: &wish.user_name,
            email: &wish.email,
            password_hash: &password_hash,
            first_name: &wish.first_name,
            family_name: &wish.family_name,
            orcid: wish.orcid.as_deref(),
            comment: &wish.comment,
            role: Role::Viewer,
            status: Status::Unconfirmed,
        };
        let mut conn = app.db.conn().await?;
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        // Without a letter nothing is made either: what an earlier letter is about stays good.
        if may_send(&mut tx, Purpose::ConfirmEmail, user.email).await? {
            let letter = record(&mut tx, &user).await?;
            mail::send_later(&mut tx, &letter).await?;
        }
        tx.commit().await?;
        Ok(StatusCode::ACCEPTED)
    })
    .await
}

/// Makes the account, if there is one to be made; answers what has to be told to whom.
async fn record(tx: &mut Transaction<'_>, user: &NewUser<'_>) -> Result<Letter, db::Error> {
    let made = match accounts::find_by_email(tx, user.email).await? {
        None => accounts::sign_up(tx, user).await,
        Some(Known {
            user_id,
            status: Status::Unconfirmed,
        }) => accounts::sign_up_again(tx, user_id, user)
            .await
            .map(|()| user_id),
        Some(Known { user_id, .. }) => return Ok(Letter::AlreadyRegistered { user_id }),
    };
    match made {
        Ok(user_id) => Ok(Letter::ConfirmEmail {
            user_id,
            attempt: Some(accounts::attempt(user.password_hash)),
        }),
        // Name or ORCID iD are another's. Two attempts with one address at the same time: the other
        // one sends the mail with the link.
        Err(error) if error.is_duplicate() => Ok(Letter::NameTaken {
            email: user.email.to_owned(),
            user_name: user.user_name.to_owned(),
        }),
        Err(error) => Err(error),
    }
}
