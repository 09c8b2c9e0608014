use proptest::prelude::*;

use super::*;
use crate::ddl::Column;

const NEWEST: Setting = Setting {
    mysql: Some((9, 7, 0)),
    checks_foreign_keys: true,
};

/// One table `t` of a thousand rows.
fn schema() -> Schema {
    let mut schema = Schema::default();
    let column = |name, column_type| Column::of_type(name, column_type).expect("a type");
    let table = Table {
        rows: Some(1000),
        bytes: Some(65_536),
        engine: Some("innodb".to_owned()),
        collation: Some("utf8mb4_0900_ai_ci".to_owned()),
        columns: vec![column("a", "int"), column("b", "varchar(20)")],
        ..Table::default()
    };
    schema.put(
        &TableName {
            schema: None,
            name: "t".to_owned(),
        },
        table,
    );
    schema
}

/// The last statement's, after those before it.
fn after(statements: &[&str], setting: Setting) -> Impact {
    let mut schema = schema();
    let (last, before) = statements.split_last().expect("a statement");
    for statement in before {
        schema.apply(&ddl(statement));
    }
    impact(last, &schema, setting)
}

fn of(statement: &str) -> Impact {
    after(&[statement], NEWEST)
}

#[test]
fn a_table_of_the_same_files_has_nothing_to_copy() {
    let found = after(
        &["CREATE TABLE n (a INT)", "ALTER TABLE n MODIFY a BIGINT"],
        NEWEST,
    );
    assert_eq!(
        (found.algorithm, found.rows, found.is_heavy()),
        (Algorithm::None, Some(0), false)
    );
    // Under another name it is the same table, and one that was filled is not empty.
    let found = after(
        &[
            "CREATE TABLE n (a INT)",
            "RENAME TABLE n TO m",
            "ALTER TABLE m MODIFY a BIGINT",
        ],
        NEWEST,
    );
    assert_eq!(found.algorithm, Algorithm::None);
    let found = after(
        &["CREATE TABLE n SELECT * FROM t", "ALTER TABLE n FORCE"],
        NEWEST,
    );
    assert_eq!(found.algorithm, Algorithm::Inplace);
}

#[test]
fn what_an_earlier_statement_changed_is_known_to_the_next() {
    let found = after(
        &[
            "ALTER TABLE t ADD c VARCHAR(10)",
            "ALTER TABLE t MODIFY c VARCHAR(20)",
        ],
        NEWEST,
    );
    assert_eq!(
        (found.algorithm, found.rebuilds_table),
        (Algorithm::Inplace, false)
    );
    let found = after(
        &[
            "ALTER TABLE t ADD FULLTEXT KEY (b)",
            "ALTER TABLE t ADD c INT",
        ],
        NEWEST,
    );
    assert_eq!(found.algorithm, Algorithm::Copy);
}

#[test]
fn older_versions_do_less_instantly() {
    let at = |statement: &str, version| {
        let setting = Setting {
            mysql: Some(version),
            ..NEWEST
        };
        after(&[statement], setting).algorithm
    };
    assert_eq!(
        at("ALTER TABLE t ADD c INT FIRST", (8, 0, 28)),
        Algorithm::Inplace
    );
    assert_eq!(
        at("ALTER TABLE t ADD c INT FIRST", (8, 0, 29)),
        Algorithm::Instant
    );
    assert_eq!(
        at("ALTER TABLE t ADD c INT", (8, 0, 12)),
        Algorithm::Instant
    );
    assert_eq!(at("ALTER TABLE t DROP a", (8, 0, 28)), Algorithm::Inplace);
    assert_eq!(
        at("ALTER TABLE t RENAME COLUMN a TO z", (8, 0, 27)),
        Algorithm::Inplace
    );
    assert_eq!(
        at("ALTER TABLE t RENAME COLUMN a TO z", (8, 0, 28)),
        Algorithm::Instant
    );
}

#[test]
fn what_is_not_known_is_unknown_with_the_reason() {
    let mariadb = Setting {
        mysql: None,
        ..NEWEST
    };
    let found = after(&["ALTER TABLE t ADD c INT"], mariadb);
    assert_eq!(
        (found.algorithm, found.rows),
        (Algorithm::Unknown, Some(1000))
    );
    for statement in [
        "ALTER TABLE u ADD c INT",
        "ALTER TABLE t MODIFY z INT",
        "ALTER TABLE t SECONDARY_LOAD",
        "CALL p()",
        "EXECUTE s",
    ] {
        let found = of(statement);
        assert_eq!(
            (found.algorithm, found.is_heavy()),
            (Algorithm::Unknown, true),
            "{statement}"
        );
        assert!(!found.why.is_empty());
    }
}

#[test]
fn a_call_costs_what_its_procedure_may_do() {
    let found = after(
        &[
            "CREATE PROCEDURE p() BEGIN IF 1 THEN ALTER TABLE t ADD c INT; END IF; IF 1 THEN ALTER TABLE t MODIFY a BIGINT; END IF; END",
            "CALL p()",
        ],
        NEWEST,
    );
    assert_eq!(
        (found.algorithm, &*found.operation, found.table.as_deref()),
        (
            Algorithm::Copy,
            "call p, which may change a column",
            Some("t")
        )
    );
}

#[test]
fn what_the_statement_asks_for_counts() {
    let found = of("ALTER TABLE t ADD c INT, ALGORITHM=COPY");
    assert_eq!(
        (found.algorithm, found.lock),
        (Algorithm::Copy, Lock::Shared)
    );
    let found = of("ALTER TABLE t MODIFY a BIGINT, ALGORITHM=INSTANT");
    assert!(
        found
            .why
            .starts_with("the server will refuse it: it asks for INSTANT"),
        "{}",
        found.why
    );
}

#[test]
fn a_statement_that_costs_more_than_its_parts_says_so() {
    let found = of("ALTER TABLE t ADD c INT, ADD KEY (a)");
    assert_eq!(
        (found.algorithm, found.rebuilds_table),
        (Algorithm::Inplace, true)
    );
    assert!(
        found.why.contains("statements of their own"),
        "{}",
        found.why
    );
}

#[test]
fn foreign_keys_are_checked_by_a_copy_unless_that_is_off() {
    let statement = "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o (id)";
    assert_eq!(of(statement).algorithm, Algorithm::Copy);
    let unchecked = Setting {
        checks_foreign_keys: false,
        ..NEWEST
    };
    assert_eq!(after(&[statement], unchecked).algorithm, Algorithm::Inplace);
}

#[test]
fn row_changes_are_counted() {
    let rows = |statement: &str| of(statement).rows;
    assert_eq!(
        rows("INSERT INTO t (a, b) VALUES (1, 'x'), (2, CONCAT('(', 'y')), (3, '')"),
        Some(3)
    );
    assert_eq!(
        rows(
            "INSERT IGNORE INTO t VALUES (1, 'x') AS n ON DUPLICATE KEY UPDATE b = CONCAT(n.b, '')"
        ),
        Some(1)
    );
    assert_eq!(rows("UPDATE t SET a = 1"), Some(1000));
    assert!(of("DELETE FROM t").why.starts_with("every row"));
    assert!(of("DELETE FROM t WHERE a = 1").why.starts_with("at most"));
    let found = of("INSERT INTO u SELECT * FROM t");
    assert_eq!(
        (found.rows, found.lock, found.table.as_deref()),
        (Some(1000), Lock::Shared, Some("u"))
    );
    let found = of("DROP TABLE t");
    assert_eq!((found.rows, found.lock), (Some(1000), Lock::Exclusive));
    assert_eq!(of("SET @x = 1").algorithm, Algorithm::None);
}

#[test]
fn an_index_of_its_own_statement_costs_what_it_costs_in_an_alter() {
    for (own, altered) in [
        ("CREATE INDEX i ON t (a)", "ALTER TABLE t ADD INDEX i (a)"),
        (
            "CREATE FULLTEXT INDEX i ON t (b)",
            "ALTER TABLE t ADD FULLTEXT KEY i (b)",
        ),
        ("DROP INDEX i ON t", "ALTER TABLE t DROP KEY i"),
        (
            "DROP INDEX `PRIMARY` ON t",
            "ALTER TABLE t DROP PRIMARY KEY",
        ),
    ] {
        assert_eq!(of(own), of(altered), "{own}");
    }
}

const WORDS: [&str; 48] = [
    "ALTER",
    "TABLE",
    "t",
    "ADD",
    "DROP",
    "COLUMN",
    "MODIFY",
    "CHANGE",
    "RENAME",
    "TO",
    "a",
    "`b`",
    "INT",
    "VARCHAR",
    "(",
    ")",
    "10",
    ",",
    ";",
    "NOT",
    "NULL",
    "DEFAULT",
    "'x'",
    "ENUM",
    "PRIMARY",
    "KEY",
    "INDEX",
    "ON",
    "CREATE",
    "PROCEDURE",
    "BEGIN",
    "END",
    "CALL",
    "IF",
    "EXISTS",
    "PARTITION",
    "BY",
    "ENGINE",
    "=",
    "INSERT",
    "INTO",
    "VALUES",
    "SELECT",
    "FROM",
    ".",
    "UPDATE",
    "SET",
    "ALGORITHM",
];

proptest! {
    #[test]
    fn whatever_is_written_it_ends_and_says_something(words in proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..25)) {
        let statement = words.join(" ");
        let found = after(&[&statement, &statement], NEWEST);
        prop_assert!(!found.operation.is_empty() || !found.why.is_empty());
    }
}
