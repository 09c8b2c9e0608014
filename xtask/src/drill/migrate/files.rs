//! The migration files of the drills. Slow in small steps, so that a kill at a random moment finds
//! a statement, a commit or a write to the ledger under way.

/// Name and text.
pub(super) type File = (&'static str, &'static str);

/// Every kind of unit, and nothing that may end in doubt. Keys are written out: numbers that the
/// server gave to an insert which was undone stay used up.
pub(super) const WIDE: &[File] = &[
    (
        "001_tables.sql",
        "-- description: tables that later files work on
CREATE TABLE digits (d INT PRIMARY KEY, n INT NOT NULL);
INSERT INTO digits VALUES (0,0),(1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8),(9,9);
CREATE TABLE big (id INT PRIMARY KEY, n INT NOT NULL, t VARCHAR(60) NOT NULL);
INSERT INTO big SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d, a.d * c.d, REPEAT('x', 10 + b.d)
  FROM digits a, digits b, digits c, digits e WHERE e.d < 5;
UPDATE digits SET n = n * 10 WHERE SLEEP(0.01) = 0;
ALTER TABLE big ADD COLUMN m INT NOT NULL DEFAULT 7, ALGORITHM=COPY;
CREATE INDEX by_n ON big (n);
INSERT INTO digits (d, n) SELECT d + 10, n + SLEEP(0.01) FROM (SELECT d, n FROM digits) b;
",
    ),
    (
        "002_transaction.sql",
        "START TRANSACTION;
INSERT INTO digits VALUES (100, 1);
UPDATE digits SET n = n + 1 WHERE d < 10 AND SLEEP(0.01) = 0;
DELETE FROM digits WHERE n = 11;
COMMIT;
CREATE TABLE copy LIKE digits;
INSERT INTO copy SELECT * FROM digits;
CREATE TABLE made AS SELECT d, n, SLEEP(0.005) AS s FROM digits;
RENAME TABLE copy TO kept;
DROP INDEX by_n ON big;
",
    ),
    (
        "003_procedure.sql",
        "-- resume: rerun
DROP PROCEDURE IF EXISTS widen;
DELIMITER //
CREATE PROCEDURE widen()
BEGIN
  IF NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'digits' AND COLUMN_NAME = 'w') THEN
    ALTER TABLE digits ADD COLUMN w INT;
  END IF;
  DO SLEEP(0.1);
  IF NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'kept' AND COLUMN_NAME = 'w') THEN
    ALTER TABLE kept ADD COLUMN w INT;
  END IF;
  UPDATE digits SET w = n + d;
  SELECT COUNT(*) FROM digits;
END//
CALL widen()//
DROP PROCEDURE IF EXISTS widen//
",
    ),
    (
        "004_guarded.sql",
        "SET @note = 'x';
CREATE TABLE IF NOT EXISTS notes (id INT PRIMARY KEY, e INT NOT NULL DEFAULT 1);
SET @waited = SLEEP(0.1);
CREATE OR REPLACE VIEW total AS SELECT SUM(n) AS s FROM digits;
DROP TABLE IF EXISTS nothing;
",
    ),
    ("005_nothing.sql", "-- description: no statement at all\n"),
    (
        "006_routines.sql",
        "CREATE TRIGGER louder BEFORE INSERT ON notes FOR EACH ROW SET NEW.e = NEW.e + 1;
CREATE FUNCTION twice(a INT) RETURNS INT DETERMINISTIC RETURN 2 * a;
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM notes WHERE id < 0;
DELIMITER $$
CREATE PROCEDURE note(IN a INT)
BEGIN
  INSERT INTO notes (id, e) VALUES (a, twice(a));
END$$
DELIMITER ;
INSERT INTO notes (id, e) VALUES (1, 1), (2, 2);
CREATE TABLE gone (a INT);
DROP TABLE gone;
ALTER VIEW total AS SELECT SUM(n) AS s, COUNT(*) AS c FROM digits;
",
    ),
    (
        "007_back_and_forth.sql",
        "ALTER TABLE notes ADD COLUMN x INT NOT NULL DEFAULT 1;
ALTER TABLE notes DROP COLUMN x;
ALTER TABLE notes ADD COLUMN x INT NOT NULL DEFAULT 2;
UPDATE notes SET e = e + x;
ALTER TABLE big MODIFY t VARCHAR(80) NOT NULL, ADD COLUMN u INT GENERATED ALWAYS AS (n + m) STORED;
UPDATE big SET m = m + 1 WHERE id % 2 = 0;
DELETE FROM big WHERE id % 3 = 0;
",
    ),
    (
        "008_last.sql",
        "-- verify: SELECT COUNT(*) = 3 AND SLEEP(0.02) = 0 FROM notes
INSERT INTO notes (id, e) VALUES (3, 3);
UPDATE digits SET n = n + 1 WHERE SLEEP(0.005) = 0;
CREATE UNIQUE INDEX one_each ON kept (d);
INSERT INTO kept (d, n) SELECT d + 1000, n FROM digits;
",
    ),
];

/// What is not visible from outside and has no guard: a kill inside must end in doubt. The `CALL`
/// waits at a gate that the drill opens, a table that is there before.
pub(super) const DOUBTFUL: &[File] = &[
    (
        "001_table.sql",
        "CREATE TABLE a (id INT PRIMARY KEY);
INSERT INTO a VALUES (1);
DELIMITER //
CREATE PROCEDURE widen()
BEGIN
  WHILE (SELECT open FROM gate) = 0 DO DO SLEEP(0.05); END WHILE;
  ALTER TABLE a ADD COLUMN b INT;
  ALTER TABLE a ADD COLUMN c INT;
END//
",
    ),
    // Alone in its file: what follows an opaque statement is decided together with it.
    (DOUBTFUL_FILE, "CALL widen();\n"),
    (
        "003_after.sql",
        "DROP PROCEDURE widen;\nINSERT INTO a (id) VALUES (2);\nINSERT INTO a (id) VALUES (3);\n",
    ),
];

/// The one file of [`DOUBTFUL`] that may end in doubt.
pub(super) const DOUBTFUL_FILE: &str = "002_call.sql";
