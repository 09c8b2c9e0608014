//! `/api/admin/smtp/test`: whether mail leaves, shown step by step, and by a letter.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Administrator;
use crate::http::{self, Accepted, Answer, ApiError, Problem};
use crate::jobs::{self, Report};
use crate::mail::{Letter, Step};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(talk, send))
}

/// How a talk with the mail server went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SmtpTalk)]
struct Talk {
    /// Whether all steps went well; a letter would have been handed over next.
    ok: bool,
    host: String,
    port: u16,
    /// `none`, `starttls` or `tls`.
    tls: &'static str,
    /// In order; the talk ends with the first that fails.
    steps: Vec<Step>,
}

/// Who gets the test letter.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[schema(as = SmtpTest)]
struct Test {
    #[garde(email, length(max = 254))]
    #[schema(format = Email)]
    to: String,
}

/// Talk with the mail server up to the sign-in, and say how each step went
#[utoipa::path(get, path = "/smtp/test", tag = "admin: mail",
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "How it went, also when it did not go well", body = Talk),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 503, description = "Mail is not set up, or the database does not answer", body = Problem),
    ))]
async fn talk(State(app): State<Arc<App>>, _admin: Administrator) -> Answer<Json<Talk>> {
    // A server that hangs is to be reported before the request itself is given up.
    let limit = app.limits.timeout.mul_f64(0.75);
    let (Some(smtp), Some(steps)) = (app.mail.smtp(), app.mail.try_out(limit).await) else {
        return Err(off());
    };
    Ok(Json(Talk {
        ok: steps.iter().all(Step::is_ok),
        host: smtp.host.clone(),
        port: smtp.port,
        tls: smtp.tls.name(),
        steps,
    }))
}

/// Send a test letter
#[utoipa::path(post, path = "/smtp/test", tag = "admin: mail", request_body = Test,
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It waits to be sent; `Location` says where to ask", body = Report),
        (status = 400, description = "The body is not JSON", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 413, description = "The body is too long", body = Problem),
        (status = 415, description = "The body is not sent as JSON", body = Problem),
        (status = 422, description = "That is no address", body = Problem),
        (status = 503, description = "Mail is not set up, or the database does not answer", body = Problem),
    ))]
async fn send(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    http::Json(Test { to }): http::Json<Test>,
) -> Answer<Accepted> {
    if !app.mail.is_on() {
        return Err(off());
    }
    // One that cannot be written to would only fail later.
    if to.parse::<lettre::Address>().is_err() {
        return Err(ApiError::invalid("to", "is not an address"));
    }
    let mut conn = app.db.conn().await?;
    let letter = Letter::Test { to };
    let job = letter.job().with_created_by(actor.user_id);
    let job_id = jobs::enqueue(&mut conn, &job).await?.job_id;
    tracing::info!(job_id, by = actor.user_id, "a test letter is to be sent");
    let job = jobs::find(&mut conn, job_id).await?;
    job.map(|job| Accepted(job.job))
        .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("job {job_id} is gone at once")))
}

fn off() -> ApiError {
    ApiError::NotSetUp {
        detail: "mail is not set up: SYSNDD_SMTP_HOST is not set".into(),
    }
}
