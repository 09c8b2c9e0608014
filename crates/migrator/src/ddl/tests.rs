use super::alter::clauses;
use super::*;

#[test]
fn an_alter_is_read_clause_by_clause() {
    let found = clauses(
        "ALTER TABLE t ADD a INT NOT NULL DEFAULT 0 AFTER b, DROP COLUMN c, RENAME COLUMN d TO e, \
         ADD CONSTRAINT u UNIQUE KEY u (a, b(10)), ADD FOREIGN KEY (a) REFERENCES o (id), ENGINE = InnoDB ROW_FORMAT=DYNAMIC, ALGORITHM=INPLACE",
    );
    assert!(matches!(&found[0], Clause::AddColumn(column)
        if column.name == "a" && column.not_null && column.has_default && column.placed));
    assert_eq!(
        found[1..],
        [
            Clause::DropColumn("c".into()),
            Clause::RenameColumn {
                from: "d".into(),
                to: "e".into()
            },
            Clause::AddIndex(Index::Unique, vec!["a".into(), "b".into()]),
            Clause::AddForeignKey,
            Clause::Engine("innodb".into()),
            Clause::RowFormat,
        ]
    );
}

#[test]
fn a_column_has_its_type_and_its_attributes() {
    let column = |text: &str| match &clauses(&format!("ALTER TABLE t MODIFY c {text}"))[..] {
        [Clause::ModifyColumn { column, .. }] => column.clone(),
        other => panic!("{text}: {other:?}"),
    };
    let found =
        column("ENUM('a', 'it''s') CHARACTER SET ascii NOT NULL DEFAULT 'a' COMMENT 'x' FIRST");
    assert_eq!(found.members, ["a", "it''s"]);
    assert_eq!(found.charset.as_deref(), Some("ascii"));
    assert!(found.not_null && found.has_default && found.placed);
    assert_eq!(column("INTEGER(11) UNSIGNED"), column("int unsigned"));
    assert_eq!(column("NUMERIC").size, [10, 0]);
    let found = column(
        "DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)) ON UPDATE CURRENT_TIMESTAMP(6) INVISIBLE FIRST",
    );
    assert!(found.default_expression && found.placed);
    assert_eq!(found.size, [6]);
    let found = column("INT GENERATED ALWAYS AS (a + 1) STORED NOT NULL");
    assert_eq!(
        (found.generated, found.not_null),
        (Some(Generated::Stored), true)
    );
    assert!(!column("INT DEFAULT NULL").has_default);
    assert!(column("DECIMAL(5,2) DEFAULT -1.5 NOT NULL").not_null);
}

#[test]
fn a_procedure_does_what_stands_in_its_body() {
    let found = ddl(
        "CREATE PROCEDURE p() BEGIN IF NOT EXISTS (SELECT 1 FROM x) THEN ALTER TABLE t ADD a INT; END IF; \
         IF 1 THEN SELECT 1; ELSE DROP TABLE u; END IF; END",
    );
    let Ddl::Procedure { name, body } = found else {
        panic!("{found:?}")
    };
    assert_eq!(name, "p");
    assert!(
        matches!(&body[..], [Ddl::AlterTable { .. }, Ddl::DropTables { .. }]),
        "{body:?}"
    );
}

#[test]
fn a_schema_follows_its_statements() {
    let mut schema = Schema::default();
    for statement in [
        "CREATE TABLE a (id INT PRIMARY KEY, b VARCHAR(10), KEY (b)) ENGINE=InnoDB",
        "ALTER TABLE a ADD c INT, DROP COLUMN b, RENAME COLUMN c TO d",
        "RENAME TABLE a TO z",
    ] {
        schema.apply(&ddl(statement));
    }
    let name = |name: &str| TableName {
        schema: None,
        name: name.into(),
    };
    assert_eq!(schema.get(&name("a")), None);
    let table = schema.get(&name("z")).expect("it has its new name");
    let columns: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(columns, ["id", "d"]);
    assert!(table.is_indexed("ID") && table.fresh);
}
