//! The dry run against the server: it says what a start then does, and changes nothing.

use sysndd_migrator::{AfterCrash, Algorithm, Flavour, Gaps, Plan, Start, StatementClass, plan};

use crate::support::{Database, files, refused, started, with_database};

async fn planned(database: &Database, set: &[(&str, &str)]) -> Plan {
    plan(&mut database.connect().await, &files(set), Gaps::Deny)
        .await
        .expect("planned")
}

const NEW: (&str, &str) = (
    "2_big.sql",
    "-- description: More room\n-- compat: breaking\n-- verify: SELECT COUNT(*) = 3 FROM big\n\
     ALTER TABLE big MODIFY a BIGINT NOT NULL;\nCREATE TABLE small (a INT);\nALTER TABLE small ADD KEY (a);\n\
     UPDATE big SET a = 7;\nCALL nobody_knows();",
);
const OLD: (&str, &str) = (
    "1_old.sql",
    "CREATE TABLE big (a INT NOT NULL); INSERT INTO big VALUES (1), (2), (3);",
);

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn every_pending_statement_has_its_class_and_its_cost() {
    with_database(|database: Database| async move {
        started(&database, &files(&[OLD]), "api-1").await;
        database.run("ANALYZE TABLE big").await;

        let plan = planned(&database, &[OLD, NEW]).await;

        assert_eq!(
            (plan.server.flavour, plan.head.as_deref(), plan.applied),
            (Flavour::MySql, Some("1_old.sql"), 1)
        );
        assert!(!plan.is_empty() && !plan.is_blocked());
        let file = &plan.files[0];
        assert_eq!(
            (&file.start, &*file.description),
            (&Start::First, "More room")
        );
        let seen: Vec<_> = file
            .statements
            .iter()
            .map(|statement| {
                let impact = statement.impact.as_ref().expect("an estimate");
                (
                    statement.line,
                    statement.class,
                    statement.after_crash,
                    impact.algorithm,
                    impact.rows,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    4,
                    StatementClass::Definition,
                    AfterCrash::Exact,
                    Algorithm::Copy,
                    Some(3)
                ),
                (
                    5,
                    StatementClass::Definition,
                    AfterCrash::Exact,
                    Algorithm::None,
                    None
                ),
                (
                    6,
                    StatementClass::Definition,
                    AfterCrash::Exact,
                    Algorithm::None,
                    Some(0)
                ),
                (
                    7,
                    StatementClass::Rows,
                    AfterCrash::Exact,
                    Algorithm::None,
                    Some(3)
                ),
                (
                    8,
                    StatementClass::Opaque,
                    AfterCrash::Ask,
                    Algorithm::Unknown,
                    None
                ),
            ]
        );
        let text = plan.to_string();
        for part in [
            "2_big.sql [breaking]: More room",
            "1. line 4: ALTER TABLE big MODIFY a BIGINT NOT NULL",
            "change a column (big, about 3 rows, 16 KiB): copy, rewrites the table, writers wait",
            "then must hold: SELECT COUNT(*) = 3 FROM big",
            "1 file pending, 5 statements to run, 2 of them heavy",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_dry_run_of_an_empty_database_leaves_it_empty() {
    with_database(|database: Database| async move {
        let plan = planned(&database, &[OLD, NEW]).await;
        assert_eq!((plan.head, plan.files.len()), (None, 2));
        let tables: u64 = database
            .one("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
            .await;
        assert_eq!(tables, 0, "not even a ledger");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn nothing_pending_is_an_empty_plan() {
    with_database(|database: Database| async move {
        started(&database, &files(&[OLD]), "api-1").await;
        let plan = planned(&database, &[OLD]).await;
        assert!(
            plan.is_empty() && plan.to_string().ends_with("nothing is pending"),
            "{plan}"
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_failed_file_is_planned_from_where_it_would_go_on() {
    with_database(|database: Database| async move {
        let broken = ("2_b.sql", "CREATE TABLE b (a INT);\nINSERT INTO nowhere VALUES (1);");
        refused(&database, &files(&[OLD, broken]), "api-1").await;

        let plan = planned(&database, &[OLD, broken]).await;

        let file = &plan.files[0];
        assert!(matches!(&file.start, Start::Resume { statement: 2, error: Some(error) } if error.contains("1146")), "{:?}", file.start);
        let done: Vec<bool> = file.statements.iter().map(|statement| statement.done).collect();
        assert_eq!(done, [true, false]);
        assert!(file.statements[0].impact.is_none());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_file_in_doubt_says_how_to_decide() {
    with_database(|database: Database| async move {
        let opaque = ("2_b.sql", "CALL nobody_knows();");
        refused(&database, &files(&[OLD, opaque]), "api-1").await;

        let plan = planned(&database, &[OLD, opaque]).await;

        assert!(plan.is_blocked());
        let text = plan.to_string();
        for decision in ["--retry", "--done"] {
            let command = format!("`migrate resolve 2_b.sql {decision}`");
            assert_eq!(text.matches(&command).count(), 1, "{text}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_a_start_would_refuse_the_plan_says() {
    with_database(|database: Database| async move {
        started(&database, &files(&[OLD]), "api-1").await;
        let changed = ("1_old.sql", "CREATE TABLE big (a BIGINT NOT NULL)");
        let plan = planned(&database, &[changed, ("3_c.sql", "DO 1")]).await;
        assert!(plan.is_blocked());
        assert_eq!(plan.problems.len(), 2, "{plan}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_file_that_may_rerun_says_so_once() {
    with_database(|database: Database| async move {
        let rerun = (
            "2_b.sql",
            "-- resume: rerun\nSET @x = 1;\nCREATE TABLE IF NOT EXISTS b (a INT);",
        );
        let plan = planned(&database, &[OLD, rerun]).await;
        let classes: Vec<_> = plan.files[1]
            .statements
            .iter()
            .map(|statement| statement.after_crash)
            .collect();
        assert_eq!(classes, [AfterCrash::Rerun; 2]);
        assert_eq!(
            plan.to_string()
                .matches("the whole file runs again")
                .count(),
            1,
            "{plan}"
        );
    })
    .await;
}
