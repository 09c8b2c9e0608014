//! `/api/auth`: becoming someone, and showing who one is.
//!
//! Nothing here tells whether an account exists: what depends on it goes by mail, and the answer
//! is the same, after the same work.

mod confirm;
mod password;
mod session;
mod signup;

use std::sync::Arc;
use std::time::Duration;

use utoipa_axum::router::OpenApiRouter;

use super::{Answer, ApiError};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(signup::routes())
        .merge(confirm::routes())
        .merge(session::routes())
        .merge(password::routes())
}

/// Where no mail is sent, nobody would get what they were promised: said to all alike, before anything
/// is looked up.
fn needs_mail(app: &App) -> Answer<()> {
    if app.mail.is_on() {
        Ok(())
    } else {
        Err(ApiError::NotSetUp {
            detail: "this site sends no mail yet, which this needs; ask those who run it".into(),
        })
    }
}

/// Longer than what the work takes on a machine that is not overloaded.
const FLOOR: Duration = Duration::from_millis(300);

/// Answers no sooner than after a fixed time: how long the work took would tell whether there is
/// such an account.
async fn same_time<T>(work: impl Future<Output = Answer<T>>) -> Answer<T> {
    let (answer, ()) = tokio::join!(work, tokio::time::sleep(FLOOR));
    answer
}
