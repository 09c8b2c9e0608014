//! What the database holds: everything that MySQL has, as the tests of backups have it, and enough rows
//! that a dump and a restore take a while. Pure.

/// Every type of column, keys, partitions, views, triggers, routines and events.
const EVERYTHING: &str = include_str!("../../../../api/tests/http/admin/everything.sql");
/// A table whose name is written otherwise in the file system. MySQL 9.7 loses it when it dies in the middle of a
/// `RENAME TABLE` into another schema: of all files that it moved, it does not find this one again.
const LOST_BY_THE_SERVER: &str = "wëird";
/// As they are in the table, with the index.
const BYTES_OF_A_ROW: u64 = 450;

/// What fills an empty site with so many megabytes, for the `mysql` client.
pub(super) fn fill(megabytes: u64) -> String {
    let rows = (megabytes * 1_000_000 / BYTES_OF_A_ROW).max(1);
    let everything: Vec<&str> = EVERYTHING
        .split("\n//\n")
        .filter(|statement| !statement.contains(LOST_BY_THE_SERVER))
        .collect();
    let everything = everything.join("\n//\n");
    let mut script = format!("DELIMITER //\n{everything}\n//\nDELIMITER ;\n{BULK}");
    let mut there = 1;
    while there < rows {
        let more = there.min(rows - there);
        script.push_str(&format!(
            "INSERT INTO drill_bulk (number, words, noise, noted_at) \
             SELECT RAND(), CONCAT(HEX(RANDOM_BYTES(16)), REPEAT(' some words', 20)), RANDOM_BYTES(100), \
                    noted_at + INTERVAL 1 SECOND FROM drill_bulk LIMIT {more};\n"
        ));
        there += more;
    }
    script.push_str("CREATE TABLE drill_marks (mark INT PRIMARY KEY, said VARCHAR(100));\n");
    script
}

const BULK: &str = "
CREATE TABLE drill_bulk (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, number DOUBLE, words VARCHAR(300),
    noise VARBINARY(100), noted_at DATETIME(6), KEY by_number (number));
INSERT INTO drill_bulk (number, words, noise, noted_at) VALUES (0.5, 'the first', RANDOM_BYTES(100), '2026-01-01 00:00:00.123456');
";

/// What makes a site another one than before: rows, tables, and one of each that is no table.
pub(super) fn mark(number: usize) -> String {
    let (there, gone) = if number.is_multiple_of(2) {
        ("drill_even", "drill_odd")
    } else {
        ("drill_odd", "drill_even")
    };
    format!(
        "DROP TRIGGER IF EXISTS drill_said;\n\
         CREATE TRIGGER drill_said BEFORE INSERT ON drill_marks FOR EACH ROW SET NEW.said = 'mark {number}';\n\
         INSERT INTO drill_marks (mark) VALUES ({number});\n\
         DROP FUNCTION IF EXISTS drill_mark;\n\
         CREATE FUNCTION drill_mark() RETURNS INT DETERMINISTIC RETURN {number};\n\
         CREATE OR REPLACE VIEW drill_last AS SELECT {number} AS mark, drill_mark() AS told, MAX(mark) AS newest FROM drill_marks;\n\
         DROP EVENT IF EXISTS drill_event;\n\
         CREATE EVENT drill_event ON SCHEDULE AT '2037-01-01 00:00:00' DO SET @mark = {number};\n\
         DROP TABLE IF EXISTS {gone}, {there};\n\
         CREATE TABLE {there} (id INT PRIMARY KEY, mark INT, FOREIGN KEY (mark) REFERENCES drill_marks (mark));\n\
         INSERT INTO {there} VALUES (1, {number});\n\
         UPDATE drill_bulk SET number = {number} WHERE id % 97 = {number} % 97;\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_doubled_until_there_are_enough() {
        let script = fill(2);
        let added: Vec<u64> = script
            .lines()
            .filter_map(|line| line.rsplit_once(" LIMIT "))
            .filter_map(|(_, count)| count.trim_end_matches(';').parse().ok())
            .collect();
        assert_eq!(added.iter().sum::<u64>() + 1, 2_000_000 / BYTES_OF_A_ROW);
        assert_eq!(added[..4], [1, 2, 4, 8]);
        assert!(!script.contains(LOST_BY_THE_SERVER) && script.contains("far_away"));
    }
}
