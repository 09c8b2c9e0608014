//! The files that all contestants apply: 50 of 5 statements, the same every time. Pure.

/// Number of files.
pub(super) const FILES: usize = 50;
/// Statements in each.
pub(super) const STATEMENTS: usize = 5;
const ROWS: usize = 8;

/// Name and text of each file. No statement needs `DELIMITER`, which only the client knows, and
/// each ends a line.
pub(super) fn files() -> Vec<(String, String)> {
    (1..=FILES)
        .map(|number| (format!("{number:03}_item.sql"), file(number)))
        .collect()
}

fn file(number: usize) -> String {
    let table = format!("item_{number}");
    let rows: Vec<String> = (1..=ROWS)
        .map(|row| format!("({row}, 'item {row} of {number}', {})", row * number))
        .collect();
    let last = match number % 5 {
        0 => format!(
            "CREATE VIEW view_{number} AS SELECT name, SUM(n) AS s FROM {table} GROUP BY name"
        ),
        1 => format!(
            "CREATE PROCEDURE raise_{number}(IN most INT) UPDATE {table} SET n = n + 1 WHERE id <= most"
        ),
        _ => format!("UPDATE {table} SET n = n + extra WHERE id % 2 = 0"),
    };
    let statements: [String; STATEMENTS] = [
        format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(60) NOT NULL, n INT NOT NULL)"
        ),
        format!(
            "INSERT INTO {table} (id, name, n) VALUES {}",
            rows.join(", ")
        ),
        format!("ALTER TABLE {table} ADD COLUMN extra INT NOT NULL DEFAULT {number}"),
        format!("CREATE INDEX by_n ON {table} (n)"),
        last,
    ];
    statements.map(|statement| statement + ";\n").concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fifty_files_of_five_statements() {
        let files = files();
        let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        assert_eq!((files.len(), lines), (50, 250));
        assert_eq!(files[0].0, "001_item.sql");
    }
}
