use super::*;

fn table(name: &str) -> Object {
    Object {
        kind: ObjectKind::Table,
        schema: None,
        name: name.to_owned(),
    }
}

fn defines(statement: &str) -> Vec<Object> {
    match classify(statement) {
        Class {
            kind: Kind::Definition(objects),
            session: Session::Clean,
            ..
        } => objects,
        other => panic!("{statement}: {other:?}"),
    }
}

#[test]
fn definitions_name_their_targets() {
    assert_eq!(defines("CREATE TABLE a (b INT)"), [table("a")]);
    assert_eq!(
        defines("create table if not exists `a b` (c int)"),
        [table("a b")]
    );
    assert_eq!(defines("ALTER TABLE a ADD COLUMN b INT"), [table("a")]);
    assert_eq!(
        defines("DROP TABLE IF EXISTS a, `b`"),
        [table("a"), table("b")]
    );
    assert_eq!(
        defines("RENAME TABLE a TO b, c TO d"),
        [table("a"), table("b"), table("c"), table("d")]
    );
    assert_eq!(defines("CREATE UNIQUE INDEX i ON a (b)"), [table("a")]);
    assert_eq!(defines("DROP INDEX i ON a"), [table("a")]);
    assert_eq!(
        defines("CREATE OR REPLACE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW v AS SELECT 1"),
        [table("v")]
    );
    assert_eq!(
        defines("CREATE TABLE other.a (b INT)"),
        [Object {
            schema: Some("other".into()),
            ..table("a")
        }]
    );
}

#[test]
fn bodies_of_routines_do_not_count() {
    let routine = |kind, name: &str| Object {
        kind,
        schema: None,
        name: name.to_owned(),
    };
    assert_eq!(
        defines("CREATE PROCEDURE p() BEGIN SET @x = 1; PREPARE s FROM @x; EXECUTE s; END"),
        [routine(ObjectKind::Procedure, "p")]
    );
    assert_eq!(
        defines("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = @c"),
        [routine(ObjectKind::Trigger, "t")]
    );
    assert_eq!(
        defines("DROP PROCEDURE IF EXISTS p"),
        [routine(ObjectKind::Procedure, "p")]
    );
    // A body of one statement, and another statement behind it.
    assert_eq!(
        classify("CREATE PROCEDURE p() SELECT 1; CALL p()").kind,
        Kind::Opaque
    );
}

#[test]
fn rows_are_told_from_what_depends_on_the_session() {
    for clean in [
        "INSERT INTO a VALUES (1, '@x')",
        "UPDATE a SET b = 1",
        "WITH c AS (SELECT 1) SELECT * FROM c",
        "(SELECT 1)",
    ] {
        let class = classify(clean);
        assert_eq!(
            (class.kind, class.session),
            (Kind::Rows, Session::Clean),
            "{clean}"
        );
    }
    assert_eq!(
        classify("INSERT INTO a VALUES (LAST_INSERT_ID())").session,
        Session::Reads
    );
    assert!(classify("INSERT INTO a VALUES (@x)").dirties());
    assert!(!classify("INSERT INTO a VALUES (@x)").guarded);
    assert!(classify("SELECT MAX(id) INTO @x FROM a").guarded);
}

#[test]
fn what_is_not_known_is_opaque_and_dirty() {
    for statement in [
        "CALL p()",
        "EXECUTE s",
        "XA START 'a'",
        "LOAD DATA INFILE 'x' INTO TABLE a",
        "SELECT 1; SELECT 2",
        "HANDLER a OPEN",
    ] {
        let class = classify(statement);
        assert_eq!(
            (&class.kind, class.guarded, class.dirties()),
            (&Kind::Opaque, false, true),
            "{statement}"
        );
    }
    for statement in [
        "SET @x = 1",
        "SET SESSION sql_mode = ''",
        "PREPARE s FROM @x",
        "DEALLOCATE PREPARE s",
        "CREATE TEMPORARY TABLE IF NOT EXISTS a (b INT)",
    ] {
        let class = classify(statement);
        assert_eq!(
            (&class.kind, class.guarded, class.dirties()),
            (&Kind::Opaque, true, true),
            "{statement}"
        );
    }
}

#[test]
fn what_a_definition_does_not_show_is_opaque() {
    for statement in [
        "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
        "RENAME TABLE a TO t, b TO a, t TO b",
        "TRUNCATE TABLE a",
        "CREATE USER u",
    ] {
        let class = classify(statement);
        assert_eq!(
            (&class.kind, class.guarded),
            (&Kind::Opaque, false),
            "{statement}"
        );
    }
}

#[test]
fn guards_are_seen_where_they_guard_the_whole() {
    assert!(classify("CREATE TABLE IF NOT EXISTS a (b INT)").guarded);
    assert!(classify("CREATE OR REPLACE VIEW v AS SELECT 1").guarded);
    assert!(classify("DROP VIEW IF EXISTS v").guarded);
    assert!(!classify("CREATE TABLE a (b INT)").guarded);
    assert!(!classify("ALTER TABLE a ADD COLUMN IF NOT EXISTS b INT, ADD COLUMN c INT").guarded);
}

#[test]
fn other_engines_are_seen() {
    assert!(classify("CREATE TABLE a (b INT) ENGINE=MyISAM").other_engine);
    assert!(classify("CREATE TABLE a (b INT) ENGINE MyISAM").other_engine);
    assert!(!classify("CREATE TABLE a (b INT) ENGINE = innodb").other_engine);
}
