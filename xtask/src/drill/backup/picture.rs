//! What the live database is, as lines that two moments can be compared by: every definition as the server
//! tells it, and for every table how many rows it has and their checksum.
//!
//! Jobs, sessions and tokens are left out: no restore brings them back, and they change all the time. All is
//! asked as the application's account, which must see all of it.

use std::fmt::Write as _;

use super::site::Site;

/// What a restore leaves as it is.
const CARRIED: [&str; 5] = [
    "jobs",
    "job_schedule",
    "sessions",
    "user_tokens",
    "account_pace",
];

/// The server tells the same column in either way, by whether its table was loaded.
const CHARACTERS: &str = " CHARACTER SET utf8mb4 COLLATE utf8mb4_";
const COLLATION: &str = " COLLATE utf8mb4_";

/// Everything else that can be told apart.
pub(super) type Picture = Vec<String>;

/// Looks at the live database.
pub(super) fn of(site: &Site<'_>) -> anyhow::Result<Picture> {
    let mut lines: Picture = Vec::new();
    let dump = [
        "mysqldump",
        "--user=sysndd",
        "--no-data",
        "--routines",
        "--events",
        "--triggers",
        "--skip-comments",
        "--skip-lock-tables",
        "--no-tablespaces",
        "--set-gtid-purged=OFF",
        Site::DATABASE,
    ];
    let definitions = site.inside_database(&dump, "")?;
    lines.extend(comparable(&definitions));
    let tables = site.sql(
        "SELECT TABLE_NAME FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY TABLE_NAME;",
    )?;
    let mut script = String::new();
    for table in tables.lines().filter(|table| !CARRIED.contains(table)) {
        let name = format!("`{}`", table.replace('`', "``"));
        write!(
            script,
            "SELECT '{}', COUNT(*) FROM {name}; CHECKSUM TABLE {name} EXTENDED;",
            table.replace('\'', "''")
        )?;
    }
    // What they say must be right, too, and not only how they are written.
    script.push_str(
        "SELECT * FROM drill_last; SELECT * FROM everything_view; SELECT * FROM a_view_of_a_view;",
    );
    lines.extend(site.sql(&script)?.lines().map(str::to_owned));
    Ok(lines)
}

/// Of tables that are carried over, the next number is no matter.
fn comparable(definitions: &str) -> Vec<String> {
    let mut carried = false;
    let line = |line: &str| {
        if let Some(rest) = line.strip_prefix("CREATE TABLE `") {
            carried = CARRIED
                .iter()
                .any(|table| rest.starts_with(&format!("{table}`")));
        }
        match line.split_once(" AUTO_INCREMENT=") {
            Some((before, after)) if carried => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}{after}")
            }
            _ => line.to_owned(),
        }
    };
    let definitions = definitions.replace(CHARACTERS, COLLATION);
    definitions.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_tables_that_stay_the_next_number_is_left_out() {
        let told = "CREATE TABLE `jobs` (\n) ENGINE=InnoDB AUTO_INCREMENT=7 CHARSET=x\n\
                    CREATE TABLE `jobs_of_others` (\n) ENGINE=InnoDB AUTO_INCREMENT=8 CHARSET=x";
        let lines = comparable(told);
        assert_eq!(lines[1], ") ENGINE=InnoDB CHARSET=x");
        assert_eq!(lines[3], ") ENGINE=InnoDB AUTO_INCREMENT=8 CHARSET=x");
    }
}
