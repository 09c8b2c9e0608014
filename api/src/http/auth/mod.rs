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

use tokio::time::Instant;
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
    same_time_since(Instant::now(), work).await
}

/// The same, where part of the work was done since then.
pub(super) async fn same_time_since<T>(
    begun: Instant,
    work: impl Future<Output = Answer<T>>,
) -> Answer<T> {
    let (answer, ()) = tokio::join!(work, tokio::time::sleep_until(begun + FLOOR));
    answer
}

#[cfg(test)]
mod tests {
    use super::{ApiError, FLOOR, Instant, same_time};

    #[tokio::test]
    async fn however_quick_the_work_is_the_answer_takes_its_time() {
        for answer in [Ok(()), Err(ApiError::not_found("nobody"))] {
            let (right, began) = (answer.is_ok(), Instant::now());
            assert_eq!(same_time(async { answer }).await.is_ok(), right);
            assert!(began.elapsed() >= FLOOR, "{:?}", began.elapsed());
        }
    }
}
