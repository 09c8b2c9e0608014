//! For tests beside what they test: a database of their own with the shipped schema.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use sysndd_migrator::{EventSink, MigrationSet, Settings};
use sysndd_protocol::{Event, Level};

struct Silent;

impl EventSink for Silent {
    fn emit(&self, _: Level, _: Event) {}
}

/// Runs a test on a database of its own, and drops it however the test ends.
pub(crate) async fn with_schema(name: &str, test: impl AsyncFnOnce(Conn) + Send + 'static) {
    let url = std::env::var("SYSNDD_TEST_MYSQL").expect("SYSNDD_TEST_MYSQL: the URL of a MySQL");
    let server = Opts::from_url(&url).expect("a MySQL URL");
    let name = format!("api_{name}_{}", std::process::id());
    let mut admin = Conn::new(server.clone()).await.expect("it answers");
    admin
        .query_drop(format!("CREATE DATABASE {name}"))
        .await
        .expect("made");
    let opts: Opts = OptsBuilder::from_opts(server).db_name(Some(&name)).into();
    let local = tokio::task::LocalSet::new();
    let ended = local.spawn_local(async move {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let set = MigrationSet::load(dir.as_ref()).expect("readable");
        let replica = sysndd_protocol::ReplicaName::new("test");
        sysndd_migrator::migrate(opts.clone(), &set, &Settings::new(replica), &Silent)
            .await
            .expect("migrated");
        test(Conn::new(opts).await.expect("it answers")).await;
    });
    let ended = local.run_until(ended).await;
    admin
        .query_drop(format!("DROP DATABASE {name}"))
        .await
        .expect("dropped");
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}
