//! A database that only one test knows.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::task::LocalSet;

fn server() -> Opts {
    let url = std::env::var("SYSNDD_TEST_MYSQL").unwrap_or_else(|_| {
        panic!(
            "SYSNDD_TEST_MYSQL is not set: give the URL of a MySQL on which databases may be made, \
             like mysql://root:PASSWORD@127.0.0.1:3306, or leave the ignored tests out"
        )
    });
    Opts::from_url(&url).expect("SYSNDD_TEST_MYSQL is a MySQL URL")
}

#[derive(Debug, Clone)]
pub(crate) struct Database {
    name: String,
}

/// Runs a test in a fresh database and drops it, also when the test panics.
pub(crate) async fn with_database<F, T>(test: F)
where
    F: FnOnce(Database) -> T,
    T: Future<Output = ()> + 'static,
{
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("api_test_{}_{count}", std::process::id());
    admin(&format!("DROP DATABASE IF EXISTS {name}")).await;
    admin(&format!("CREATE DATABASE {name}")).await;
    let test = test(Database { name: name.clone() });
    let local = LocalSet::new();
    let ended = local.spawn_local(test);
    let ended = local.run_until(ended).await;
    admin(&format!("DROP DATABASE {name}")).await;
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn admin(statement: &str) {
    let mut conn = Conn::new(server()).await.expect("the test server answers");
    conn.query_drop(statement).await.expect(statement);
    conn.disconnect().await.expect("closed");
}

impl Database {
    /// Its address, at the server itself.
    pub(crate) fn url(&self) -> String {
        self.url_at(&Self::host())
    }

    /// Its address, by way of another host and port.
    pub(crate) fn url_at(&self, host: &str) -> String {
        let opts = server();
        let (user, pass) = (opts.user().unwrap_or("root"), opts.pass().unwrap_or(""));
        format!("mysql://{user}:{pass}@{host}/{}", self.name)
    }

    /// Host and port of the server.
    pub(crate) fn host() -> String {
        format!("{}:{}", server().ip_or_hostname(), server().tcp_port())
    }

    pub(crate) async fn connect(&self) -> Conn {
        let opts = OptsBuilder::from_opts(server()).db_name(Some(&self.name));
        Conn::new(opts).await.expect("the test server answers")
    }
}

/// A job as its last worker left it that died of it, at the last try; answers its number.
pub(crate) async fn lost_job(conn: &mut Conn, kind: &str, payload: &str) -> u64 {
    conn.exec_drop(
        "INSERT INTO jobs (kind, payload, status, attempts, max_attempts, lease_owner, lease_until, fence) \
         VALUES (?, ?, 'running', 3, 3, 'api-0', UTC_TIMESTAMP(6), 3)",
        (kind, payload),
    )
    .await
    .expect("inserted");
    conn.last_insert_id().expect("a number")
}
