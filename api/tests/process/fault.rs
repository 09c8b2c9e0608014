//! A process that is told to kill itself does, and the next one finishes its work.

use std::os::unix::process::ExitStatusExt as _;

use crate::support::{Launch, shipped_migrations, with_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_process_that_dies_at_a_named_point_is_carried_on_by_the_next() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let up = async |fault: &str| {
            let launch = Launch::new(&["migrate", "up"])
                .set("SYSNDD_DATABASE_URL", db.url())
                .set("SYSNDD_MIGRATIONS_DIR", shipped_migrations())
                .set("SYSNDD_FAULT", fault);
            launch.start().end().await
        };
        let (status, _, _) = up("migrate.statement-noted:2").await;
        assert_eq!(status.signal(), Some(9));

        let serve = Launch::serve("api-1", &db.url(), data.path(), shipped_migrations())
            .set("SYSNDD_FAULT", "migrate.file-done");
        let (status, stdout, _) = serve.start().end().await;
        assert_eq!(status.signal(), Some(9));
        assert!(
            stdout.concat().contains("\"migration.resumed\""),
            "{stdout:?}"
        );

        let (status, stdout, stderr) = up("").await;
        assert!(status.success(), "{stderr}");
        assert!(
            stdout.concat().contains("\"migration.complete\""),
            "{stdout:?}"
        );
    })
    .await;
}
