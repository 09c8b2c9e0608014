use super::*;
use crate::header::Compat;
use crate::ledger::{LedgerRow, State};

fn report(files: &[(&str, &str)], rules: &LintRules) -> LintReport {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    lint(dir.path(), rules)
}

fn places(report: &LintReport) -> Vec<(&'static str, usize)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| (finding.rule.id(), finding.line.unwrap_or(0)))
        .collect()
}

/// Rule and line of what is found in files 1, 2, …
fn found(texts: &[&str]) -> Vec<(&'static str, usize)> {
    let names: Vec<String> = (1..=texts.len())
        .map(|number| format!("{number}_a.sql"))
        .collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().copied())
        .collect();
    places(&report(&files, &LintRules::default()))
}

const NOTHING: [(&str, usize); 0] = [];
const T: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT NULL, b VARCHAR(20) NOT NULL DEFAULT '', c ENUM('x', 'y') NULL) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;";

#[test]
fn what_cannot_be_loaded_is_a_finding_beside_the_others() {
    let report = report(
        &[
            ("1_a.sql", "SELECT 'x"),
            ("b.sql", "SELECT 1"),
            ("2_c.sql", "-- nothing"),
            ("3_d.sql", "-- compat: no\nDO 1;"),
        ],
        &LintRules::default(),
    );
    assert_eq!(
        places(&report),
        [
            ("not-loadable", 1),
            ("empty-file", 0),
            ("not-loadable", 1),
            ("not-loadable", 0)
        ]
    );
    assert_eq!(
        (report.files, report.errors(), report.warnings()),
        (4, 3, 1)
    );
    let report = lint(
        std::path::Path::new("no/such/directory"),
        &LintRules::default(),
    );
    assert_eq!(places(&report), [("not-loadable", 0)]);
}

#[test]
fn a_number_is_given_once_and_none_is_left_out() {
    let files = [
        ("1_a.sql", "DO 1"),
        ("01_b.sql", "DO 1"),
        ("4_c.sql", "DO 1"),
        ("5_d.sql", "DO 1"),
    ];
    let ids = |rules: &LintRules| {
        places(&report(&files, rules))
            .iter()
            .map(|(id, _)| *id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&LintRules::default()),
        ["duplicate-number", "missing-number"]
    );
    let lax = LintRules {
        gaps: Gaps::Allow,
        ..LintRules::default()
    };
    assert_eq!(ids(&lax), ["duplicate-number"]);
    assert_eq!(found(&["DO 1", "DO 1"]), NOTHING);
}

#[test]
fn a_definition_needs_a_guard_only_where_nothing_else_is_certain() {
    assert_eq!(
        found(&["SET @x = 1;\nCREATE TABLE a (b INT);\nCREATE TABLE IF NOT EXISTS c (b INT);"]),
        [("unguarded-definition", 2)]
    );
    assert_eq!(
        found(&["CREATE TABLE a (b INT);\nALTER TABLE a ADD c INT;"]),
        NOTHING
    );
    assert_eq!(
        found(&["SET @x = 1;\nCREATE TABLE IF NOT EXISTS a (b INT);"]),
        NOTHING
    );
}

#[test]
fn what_a_crash_leaves_in_doubt_is_found_unless_the_file_may_rerun() {
    assert_eq!(
        found(&["CREATE PROCEDURE p() SELECT 1;\nCALL p();\n"]),
        [("not-resumable", 2)]
    );
    assert_eq!(
        found(&["SET @x = 1;\nINSERT INTO a VALUES (@x);"]),
        [("not-resumable", 2)]
    );
    assert_eq!(
        found(&[
            "-- resume: rerun\nDROP PROCEDURE IF EXISTS p;\nCREATE PROCEDURE p() SELECT 1;\nCALL p();\nDROP PROCEDURE p;"
        ]),
        NOTHING
    );
    assert_eq!(found(&["INSERT INTO a VALUES (1);"]), NOTHING);
}

#[test]
fn a_promise_to_be_repeatable_is_held_against_the_statements() {
    let lines = |script: &str| {
        let script = format!("-- resume: rerun\n{script}");
        found(&[&script])
            .into_iter()
            .filter(|(id, _)| *id == "not-repeatable")
            .map(|(_, line)| line)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(
            "CREATE TABLE a (b INT);\nALTER TABLE a ADD c INT;\nINSERT INTO a VALUES (1);\nUPDATE a SET b = b + 1;\nRENAME TABLE a TO d;"
        ),
        [2, 3, 4, 5, 6]
    );
    assert_eq!(lines("DROP TABLE x;"), [2]);
    assert_eq!(
        lines(
            "CREATE TABLE IF NOT EXISTS a (b INT);\nALTER TABLE a MODIFY b BIGINT;\nINSERT IGNORE INTO a VALUES (1);\nUPDATE a SET b = 7 WHERE b = b + 1;"
        ),
        [] as [usize; 0]
    );
    assert_eq!(
        lines("DELETE FROM a;\nINSERT INTO a VALUES (1);"),
        [] as [usize; 0]
    );
}

#[test]
fn a_drop_says_that_it_breaks() {
    assert_eq!(found(&[T, "DROP TABLE t;"]), [("unmarked-drop", 1)]);
    assert_eq!(
        found(&[T, "ALTER TABLE t ADD d INT,\n DROP COLUMN a;"]),
        [("unmarked-drop", 1)]
    );
    assert_eq!(
        found(&["CREATE VIEW v AS SELECT 1", "DROP VIEW v"]),
        [("unmarked-drop", 1)]
    );
    assert_eq!(found(&[T, "-- compat: breaking\nDROP TABLE t;"]), NOTHING);
    // What the file itself made, an index, and a routine that is made anew.
    assert_eq!(
        found(&[
            T,
            "CREATE TABLE u (a INT); DROP TABLE u; ALTER TABLE t ADD z INT; ALTER TABLE t DROP z; ALTER TABLE t ADD KEY k (a), DROP KEY k;"
        ]),
        NOTHING
    );
    assert_eq!(
        found(&[
            "CREATE VIEW v AS SELECT 1",
            "DROP VIEW v; CREATE VIEW v AS SELECT 2"
        ]),
        NOTHING
    );
    assert_eq!(
        found(&["DROP TABLE IF EXISTS u; CREATE TABLE u (a INT)"]),
        NOTHING
    );
}

#[test]
fn what_a_procedure_drops_counts_where_it_is_called() {
    let procedure = "-- resume: rerun\nDROP PROCEDURE IF EXISTS p;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN IF 1 THEN ALTER TABLE t DROP COLUMN a; END IF; END //\nDELIMITER ;\n";
    assert_eq!(
        found(&[T, &format!("{procedure}CALL p();")]),
        [("unmarked-drop", 6)]
    );
    assert_eq!(found(&[T, procedure]), NOTHING);
}

#[test]
fn a_rename_says_that_it_breaks() {
    assert_eq!(found(&[T, "RENAME TABLE t TO u"]), [("unmarked-rename", 1)]);
    assert_eq!(
        found(&[T, "ALTER TABLE t RENAME TO u"]),
        [("unmarked-rename", 1)]
    );
    assert_eq!(
        found(&[T, "ALTER TABLE t RENAME COLUMN a TO z"]),
        [("unmarked-rename", 1)]
    );
    assert_eq!(
        found(&[T, "ALTER TABLE t CHANGE a z INT NULL"]),
        [("unmarked-rename", 1)]
    );
    assert_eq!(
        found(&[T, "-- compat: breaking\nRENAME TABLE t TO u"]),
        NOTHING
    );
    assert_eq!(
        found(&[
            T,
            "ALTER TABLE t CHANGE a a INT NULL; ALTER TABLE t ADD KEY k (a); ALTER TABLE t RENAME INDEX k TO l"
        ]),
        NOTHING
    );
    // An exchange of tables: the name is there afterwards, though a crash leaves it in doubt.
    assert_eq!(
        found(&[T, "CREATE TABLE n LIKE t; RENAME TABLE t TO o, n TO t"]),
        [("unguarded-definition", 1)]
    );
}

#[test]
fn a_column_that_takes_less_says_that_it_breaks() {
    for narrower in [
        "a SMALLINT NULL",
        "a INT UNSIGNED NULL",
        "a INT NOT NULL DEFAULT 0",
        "a DATE NULL",
        "b VARCHAR(19) NOT NULL DEFAULT ''",
        "b VARCHAR(20) CHARACTER SET ascii NOT NULL DEFAULT ''",
        "c ENUM('x') NULL",
        "unheard INT",
    ] {
        assert_eq!(
            found(&[T, &format!("ALTER TABLE t MODIFY {narrower}")]),
            [("unmarked-narrowing", 1)],
            "{narrower}"
        );
    }
    for wider in [
        "a BIGINT NULL DEFAULT 1",
        "b VARCHAR(300) NOT NULL DEFAULT ''",
        "b TEXT NULL",
        "c ENUM('z', 'y', 'x') NULL",
        "b VARCHAR(20) NULL",
    ] {
        assert_eq!(
            found(&[T, &format!("ALTER TABLE t MODIFY {wider}")]),
            NOTHING,
            "{wider}"
        );
    }
    assert_eq!(
        found(&[
            T,
            "-- compat: breaking\nALTER TABLE t MODIFY a SMALLINT NULL"
        ]),
        NOTHING
    );
    // What it was follows from all files before.
    assert_eq!(
        found(&[
            T,
            "ALTER TABLE t MODIFY a BIGINT NULL",
            "ALTER TABLE t MODIFY a INT NULL"
        ]),
        [("unmarked-narrowing", 1)]
    );
}

#[test]
fn a_column_that_every_writer_must_give_says_that_it_breaks() {
    assert_eq!(
        found(&[T, "ALTER TABLE t ADD d INT NOT NULL"]),
        [("unmarked-required", 1)]
    );
    assert_eq!(
        found(&[T, "ALTER TABLE t MODIFY b VARCHAR(20) NOT NULL"]),
        [("unmarked-required", 1)]
    );
    assert_eq!(
        found(&[
            T,
            "ALTER TABLE t ADD d INT NOT NULL DEFAULT 0, ADD e INT NULL, ADD f INT AS (a) STORED NOT NULL"
        ]),
        NOTHING
    );
    assert_eq!(
        found(&[
            T,
            "CREATE TABLE u (a INT); ALTER TABLE u ADD d INT NOT NULL"
        ]),
        NOTHING
    );
}

#[test]
fn engine_and_character_set_are_demanded_only_where_asked() {
    let files = [(
        "1_a.sql",
        "CREATE TABLE a (b INT);\nCREATE TABLE c (b INT) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;\nCREATE TABLE d LIKE c;",
    )];
    let demanding = LintRules {
        demand_engine: true,
        demand_charset: true,
        ..LintRules::default()
    };
    assert_eq!(
        places(&report(&files, &demanding)),
        [("create-without-engine", 1), ("create-without-charset", 1)]
    );
    assert_eq!(places(&report(&files, &LintRules::default())), NOTHING);
}

#[test]
fn another_database_is_not_named() {
    for bad in [
        "INSERT INTO shop.a VALUES (1)",
        "SELECT 1 FROM a JOIN `shop`.b ON a.x = b.x",
        "CREATE TABLE IF NOT EXISTS shop.a (b INT)",
        "CREATE INDEX i ON shop.a (b)",
        "UPDATE shop.a SET b = 1",
        "CREATE TABLE a (b INT REFERENCES shop.c (d))",
    ] {
        assert_eq!(found(&[bad]), [("other-database", 1)], "{bad}");
    }
    assert!(found(&["USE shop;\nDO 1;"]).contains(&("other-database", 1)));
    for fine in [
        "UPDATE a SET b = 1 WHERE a.b = 2",
        "SELECT EXTRACT(YEAR FROM a.d) FROM a",
        "SELECT 1 FROM information_schema.tables",
        "INSERT INTO a VALUES (1) AS n ON DUPLICATE KEY UPDATE a.b = n.b",
    ] {
        assert_eq!(found(&[fine]), NOTHING, "{fine}");
    }
}

#[test]
fn nothing_commits_in_the_middle_of_a_transaction() {
    assert_eq!(
        found(&["BEGIN;\nINSERT INTO a VALUES (1);\nCREATE TABLE b (c INT);\nCOMMIT;"]),
        [("implicit-commit", 3)]
    );
    assert_eq!(
        found(&["START TRANSACTION;\nINSERT INTO a VALUES (1);\nBEGIN;\nCOMMIT;"]),
        [("implicit-commit", 3)]
    );
    assert_eq!(
        found(&["BEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;\nCREATE TABLE b (c INT);"]),
        NOTHING
    );
}

#[test]
fn a_transaction_ends() {
    assert_eq!(
        found(&["BEGIN;\nINSERT INTO a VALUES (1);"]),
        [("open-transaction", 1)]
    );
    assert_eq!(
        found(&["BEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;"]),
        NOTHING
    );
}

#[test]
fn a_file_says_something() {
    assert_eq!(found(&["-- only a comment\n"]), [("empty-file", 0)]);
    assert_eq!(found(&["DO 1"]), NOTHING);
}

#[test]
fn what_is_allowed_with_a_reason_is_not_found() {
    assert_eq!(
        found(&[
            T,
            "-- lint: allow unmarked-drop, unmarked-rename nobody reads it since 1.4\nDROP TABLE t; ALTER TABLE x RENAME COLUMN a TO b;"
        ]),
        NOTHING
    );
    // Below the top it holds for one statement: the next, or the one that it stands behind.
    assert_eq!(
        found(&[
            T,
            "DO 1;\n-- lint: allow unmarked-drop: unused\nDROP TABLE t;\nDROP TABLE u;"
        ]),
        [("unmarked-drop", 4)]
    );
    assert_eq!(
        found(&[
            T,
            "DROP TABLE t; -- lint: allow unmarked-drop unused\nDROP TABLE u;"
        ]),
        [("unmarked-drop", 2)]
    );
}

#[test]
fn an_allow_line_that_does_nothing_is_found() {
    assert_eq!(
        found(&["-- lint: allow unmarked-drop\nDO 1"]),
        [("bad-allow", 1)]
    );
    assert_eq!(
        found(&["-- lint: allow no-such-rule because\nDO 1"]),
        [("bad-allow", 1)]
    );
    assert_eq!(
        found(&["-- lint: allow changed-file because\nDO 1"]),
        [("bad-allow", 1)]
    );
    assert_eq!(
        found(&["DO 1;\n-- lint: allow unmarked-drop because\n"]),
        [("bad-allow", 2)]
    );
    assert_eq!(
        found(&["-- lint: allow unmarked-drop because\nDO 1"]),
        [("unused-allow", 1)]
    );
    // Not every comment with that word.
    assert_eq!(found(&["-- linting: allow nothing\nDO 1"]), NOTHING);
}

#[test]
fn released_files_can_be_left_out() {
    let files = [
        ("1_a.sql", "USE x"),
        ("2_b.sql", "USE x"),
        ("2_c.sql", "DO 1"),
    ];
    let rules = LintRules {
        from: Some(2),
        ..LintRules::default()
    };
    let report = report(&files, &rules);
    let names: Vec<_> = report
        .findings
        .iter()
        .filter_map(|finding| finding.file.as_deref())
        .collect();
    assert_eq!(names, ["2_b.sql", "2_c.sql"]);
}

fn row(name: &str, state: State, checksum: Option<String>) -> LedgerRow {
    LedgerRow {
        checksum,
        ..crate::position::tests::row(name, state)
    }
}

#[test]
fn the_ledger_tells_of_changed_missing_and_late_files() {
    let mut report = report(
        &[
            ("1_a.sql", "DO 1"),
            ("2_b.sql", "DO 2"),
            ("3_c.sql", "DO 3"),
        ],
        &LintRules::default(),
    );
    let same = report.set.files()[0].checksum().to_owned();
    report.compare(&[
        row("1_a.sql", State::Applied, Some(same)),
        row("3_c.sql", State::Applied, Some("0".repeat(64))),
        row("3_gone.sql", State::Applied, None),
        LedgerRow {
            compat: Some(Compat::Breaking),
            ..row("4_new.sql", State::Applied, None)
        },
    ]);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.rule.id(), finding.file.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        found,
        [
            ("out-of-order", "2_b.sql"),
            ("changed-file", "3_c.sql"),
            ("missing-file", "3_gone.sql"),
            ("unknown-breaking", "4_new.sql")
        ]
    );
}

#[test]
fn the_ledger_excuses_what_cannot_be_mended_any_more() {
    let files = [
        ("1_a.sql", "USE x"),
        ("1_b.sql", "DO 1"),
        ("4_c.sql", "USE x"),
        ("5_d.sql", "SELECT 'x"),
    ];
    let mut report = report(&files, &LintRules::default());
    report.compare(&[
        row("1_a.sql", State::Adopted, None),
        row("1_b.sql", State::Adopted, None),
        row("2_gone.sql", State::Adopted, None),
        row("3_gone.sql", State::Adopted, None),
        row("5_d.sql", State::Failed, None),
    ]);
    assert_eq!(
        places(&report),
        [("other-database", 1), ("not-loadable", 1)]
    );
}

#[test]
fn a_report_reads_like_a_compiler() {
    let mut report = report(&[("1_a.sql", "DO 1;\nUSE x;")], &LintRules::default());
    report.directory = "migrations".into();
    assert_eq!(
        report.to_string(),
        "migrations/1_a.sql:2: error[other-database]: USE leaves the database that is migrated\n  help: delete it: the URL names the database\n\
         1 file, 1 error, 0 warnings"
    );
}

#[test]
fn every_rule_is_documented_under_its_name() {
    let page = include_str!("../../../../docs/reference/migration-lint.md");
    for rule in Rule::ALL {
        assert!(
            page.contains(&format!(
                "| `{}` | {} |",
                rule.id(),
                rule.severity().as_str()
            )),
            "{}",
            rule.id()
        );
        assert_eq!(Rule::of_id(rule.id()), Some(*rule));
    }
}

#[test]
fn the_projects_own_migrations_are_clean() {
    let rules = LintRules {
        demand_engine: true,
        demand_charset: true,
        ..LintRules::default()
    };
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let report = lint(&dir, &rules);
    assert!(report.is_clean() && report.files >= 5, "{report}");
}

/// What the guide shows as an example is itself right.
#[test]
fn the_worked_example_of_the_guide_is_clean() {
    let page = include_str!("../../../../docs/migrations.md");
    let mut files = vec![(
        "019_users.sql".to_owned(),
        "CREATE TABLE users (user_id INT PRIMARY KEY, name VARCHAR(100) NOT NULL);".to_owned(),
    )];
    for block in page.split("```sql\n").skip(1) {
        let text = block.split("```").next().unwrap_or_default();
        let name = text.trim_start_matches("-- ").split(',').next();
        files.push((name.unwrap_or_default().to_owned(), text.to_owned()));
    }
    assert_eq!(files.len(), 5);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let report = report(&files, &LintRules::default());
    assert!(report.is_clean(), "{report}");
}
