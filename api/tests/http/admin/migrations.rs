use mysql_async::prelude::Queryable as _;

use crate::app::{As, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn administrators_see_who_applied_what_and_what_a_start_would_do() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        app.get(&As::Nobody, "/api/admin/migrations")
            .await
            .is_problem(401, "sign in");
        app.user("the.curator", "Curator").await;
        let curator = app.sign_in("the.curator").await;
        app.get(&curator, "/api/admin/migrations")
            .await
            .is_problem(403, "administrators");

        let all = app.get(&admin, "/api/admin/migrations").await;
        assert_eq!(all.status, 200, "{all:?}");
        let ledger = all.body["ledger"].as_array().expect("a list");
        assert_eq!(all.body["applied"], ledger.len());
        assert_eq!(all.body["pending"].as_array().map(Vec::len), Some(0));
        assert!(!all.text("server").is_empty());
        let last = ledger.last().expect("an applied file");
        assert_eq!(last["filename"], all.body["head"]);
        assert_eq!(last["state"], "applied");
        assert_eq!(last["applied_by"], "api-1");

        // Without its row the last file is pending again, and the start after this one would run it.
        let mut conn = db.connect().await;
        conn.exec_drop(
            "DELETE FROM schema_version WHERE filename = ?",
            (last["filename"].as_str(),),
        )
        .await
        .expect("deleted");
        conn.disconnect().await.expect("closed");
        let one = app.get(&admin, "/api/admin/migrations").await;
        assert_eq!(one.body["applied"], ledger.len() - 1);
        let pending = &one.body["pending"][0];
        assert_eq!(pending["filename"], last["filename"]);
        let statement = &pending["statements"][0];
        assert_eq!(statement["done"], false);
        assert!(statement["cost"]["why"].is_string(), "{one:?}");
    })
    .await;
}
