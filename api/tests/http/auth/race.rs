//! What happens to an account while a password is judged.

use futures::future::join_all;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use crate::app::{Answer, PASSWORD, TestApp, waiting_for_rows};
use crate::support::{Database, eventually, with_database};

/// Holds all accounts; to be let go by `COMMIT`.
const HOLD: [&str; 2] = ["START TRANSACTION", "SELECT user_id FROM users FOR UPDATE"];

/// What comes of a request when the account is changed after its password was judged, and before the
/// session is opened.
async fn meanwhile(db: &Database, change: &str) -> Answer {
    let app = TestApp::with(db, "api-1", &[("SYSNDD_REQUEST_TIMEOUT", "2m")]).await;
    app.administrator().await;
    let mut conn = db.connect().await;
    for statement in HOLD {
        conn.query_drop(statement).await.expect(statement);
    }
    let changing = async {
        eventually("the sign-in waits for the account", async || {
            (waiting_for_rows(&mut conn).await == 1).then_some(())
        })
        .await;
        conn.query_drop(change).await.expect(change);
        conn.query_drop("COMMIT").await.expect("changed");
    };
    let (answer, ()) = tokio::join!(app.log_in("marie", PASSWORD), changing);
    let sessions: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM sessions")
        .await
        .expect("asked");
    assert_eq!(sessions, Some(1), "that of the administrator");
    conn.disconnect().await.expect("closed");
    answer
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn of_guesses_that_are_judged_at_the_same_time_none_counts_once_the_rest_began() {
    with_database(async |db| {
        let rest = "UPDATE users SET failed_logins = 5, locked_until = UTC_TIMESTAMP(6) + INTERVAL 30 SECOND";
        meanwhile(&db, rest).await.is_problem(401, "user name or password is wrong");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_password_that_was_changed_while_it_was_judged_opens_no_session() {
    with_database(async |db| {
        let new = "UPDATE users SET password_hash = CONCAT(password_hash, 'x'), session_epoch = session_epoch + 1";
        meanwhile(&db, new).await.is_problem(401, "user name or password is wrong");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn whoever_shuts_an_account_shuts_out_those_whose_password_was_just_judged() {
    with_database(async |db| {
        let shut = "UPDATE users SET status = 'disabled', session_epoch = session_epoch + 1";
        meanwhile(&db, shut).await.is_problem(403, "disabled");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn many_guesses_at_once_are_no_more_than_a_few() {
    with_database(async |db| {
        let (one, other) = (
            TestApp::with(&db, "api-1", &[("SYSNDD_REQUEST_TIMEOUT", "2m")]).await,
            TestApp::with(&db, "api-2", &[("SYSNDD_REQUEST_TIMEOUT", "2m")]).await,
        );
        one.administrator().await;
        let mut conn = db.connect().await;
        for statement in HOLD {
            conn.query_drop(statement).await.expect(statement);
        }
        let waiting = async |conn: &mut Conn, count: u64| {
            eventually("they wait for the account", async || {
                (waiting_for_rows(conn).await >= count).then_some(())
            })
            .await;
        };
        // All were judged before any of them was counted, and the right one is the last to come.
        let wrong = join_all((0..7).map(|_| one.log_in("marie", "wrong password")));
        let right = async {
            waiting(&mut conn, 7).await;
            let letting = async {
                waiting(&mut conn, 8).await;
                conn.query_drop("COMMIT").await.expect("let go");
            };
            tokio::join!(other.log_in("marie", PASSWORD), letting).0
        };
        let (_, right) = tokio::join!(wrong, right);
        right.is_problem(401, "user name or password is wrong");
        conn.disconnect().await.expect("closed");
    })
    .await;
}
