//! Proving again what was proven when it was applied.

use sysndd_migrator::{Gaps, Verdict, verify};

use crate::support::{files, refused, started, with_database};

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn post_conditions_are_asked_again_and_change_nothing() {
    with_database(|db| async move {
        let set = files(&[
            ("001_a.sql", "-- verify: SELECT COUNT(*) FROM a\nCREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a VALUES (1);"),
            ("002_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);"),
            ("003_c.sql", "-- verify: SELECT n FROM c\nCREATE TABLE c (n INT);\nINSERT INTO c VALUES (3);"),
        ]);
        let mut conn = db.connect().await;
        let before = verify(&mut conn, &set, Gaps::Allow).await.expect("a report");
        assert!(before.holds() && before.conditions.is_empty(), "{before}");
        assert_eq!(before.pending.len(), 3);

        started(&db, &set, "api-1").await;
        let report = verify(&mut conn, &set, Gaps::Allow).await.expect("a report");
        assert!(report.holds(), "{report}");
        let answers: Vec<_> = report.conditions.iter().map(|one| (one.file.as_str(), one.answer.as_str())).collect();
        assert_eq!(answers, [("001_a.sql", "1"), ("003_c.sql", "3")]);
        assert_eq!((report.without, report.pending.len()), (1, 0));

        db.run("DELETE FROM a").await;
        db.run("DROP TABLE c").await;
        let report = verify(&mut conn, &set, Gaps::Allow).await.expect("a report");
        assert!(!report.holds());
        let verdicts: Vec<_> = report.conditions.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [Verdict::False, Verdict::Error]);
        assert!(report.to_string().contains("FALSE  001_a.sql:1"), "{report}");
        assert!(report.to_string().contains("0 of 2 post-conditions hold"), "{report}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_post_condition_that_writes_is_refused_by_the_server() {
    with_database(|db| async move {
        let set = files(&[(
            "001_a.sql",
            "-- verify: SELECT bump()\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (0);\n\
             DELIMITER //\nCREATE FUNCTION bump() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE a SET n = n + 1; RETURN 1; END//\n",
        )]);
        started(&db, &set, "api-1").await;
        let before: i64 = db.one("SELECT n FROM a").await;
        let report = verify(&mut db.connect().await, &set, Gaps::Allow).await.expect("a report");
        assert_eq!(report.conditions[0].verdict, Verdict::Error, "{report}");
        assert_eq!(db.one::<i64>("SELECT n FROM a").await, before);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn failed_files_and_contradictions_are_problems() {
    with_database(|db| async move {
        let first = ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);");
        started(&db, &files(&[first]), "api-1").await;
        let broken = files(&[first, ("002_b.sql", "CREATE TABLE a (id INT);")]);
        refused(&db, &broken, "api-1").await;
        let mut conn = db.connect().await;
        let report = verify(&mut conn, &broken, Gaps::Allow)
            .await
            .expect("a report");
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.starts_with("002_b.sql is failed: ")),
            "{report}"
        );
        let changed = files(&[
            ("001_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);"),
            ("004_d.sql", "SELECT 1;"),
        ]);
        let report = verify(&mut conn, &changed, Gaps::Deny)
            .await
            .expect("a report");
        assert!(!report.holds());
        for part in ["001_a.sql was changed", "a number is left out", "002_b.sql"] {
            assert!(report.to_string().contains(part), "{part}: {report}");
        }
    })
    .await;
}
