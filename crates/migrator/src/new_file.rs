//! The next migration file: its number, its name, an empty body. It writes one new file and never
//! touches another.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::files::version_and_rest;

/// Digits of the first number, as in `001_…`.
const DIGITS: usize = 3;
/// Longer names do not fit the ledger's column, nor anyone's terminal.
const LONGEST_NAME: usize = 100;

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum NewMigrationError {
    /// The name says nothing.
    #[error("`{name}` is no name for a migration: {reason}")]
    Name {
        /// As it was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The newest file has the highest number there is.
    #[error("there is no number after {newest}; rename it")]
    NoNumberLeft {
        /// The newest file.
        newest: String,
    },
    /// The directory or the file could not be used.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes `NNN_name.sql` with the next number and a header to fill in; answers its path.
///
/// The number has as many digits as the newest file's. A file that is there is never overwritten.
pub fn new_migration(dir: &Path, name: &str) -> Result<PathBuf, NewMigrationError> {
    let slug = slug(name)?;
    let names = names(dir).map_err(|source| NewMigrationError::Io {
        doing: "read",
        path: dir.to_owned(),
        source,
    })?;
    let file = format!("{}_{slug}.sql", next_number(&names)?);
    let path = dir.join(file);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(template(&slug).as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(source) => Err(NewMigrationError::Io {
            doing: "write",
            path,
            source,
        }),
    }
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    std::fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Lower case, with `_` for everything that is neither a letter nor a digit.
fn slug(name: &str) -> Result<String, NewMigrationError> {
    let refused = |reason| NewMigrationError::Name {
        name: name.to_owned(),
        reason,
    };
    let given = name.strip_suffix(".sql").unwrap_or(name);
    if version_and_rest(&format!("{given}.sql")).is_some() {
        return Err(refused("the number is given by this program; leave it out"));
    }
    if given.contains(['/', '\\']) {
        return Err(refused("it is a path; the directory is given by --dir"));
    }
    let mapped: String = given
        .chars()
        .map(|letter| match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => letter,
            _ => ' ',
        })
        .collect();
    let slug = mapped.split_whitespace().collect::<Vec<_>>().join("_");
    if !slug.contains(|letter: char| letter.is_ascii_alphabetic()) {
        return Err(refused("it has no letter from a to z"));
    }
    if slug.len() > LONGEST_NAME {
        return Err(refused("it has more than 100 characters"));
    }
    Ok(slug)
}

/// One more than the newest, written as wide.
fn next_number(names: &[String]) -> Result<String, NewMigrationError> {
    let newest = names
        .iter()
        .filter_map(|name| Some((version_and_rest(name)?.0, name)))
        .max();
    let Some((version, newest)) = newest else {
        return Ok(format!("{:0DIGITS$}", 1));
    };
    let digits = newest.bytes().take_while(u8::is_ascii_digit).count();
    let next = version
        .checked_add(1)
        .ok_or_else(|| NewMigrationError::NoNumberLeft {
            newest: newest.clone(),
        })?;
    Ok(format!("{next:0digits$}"))
}

fn template(slug: &str) -> String {
    let description = slug.replace('_', " ");
    format!(
        "-- description: {description}
-- compat: backward
--
-- `backward`: releases that know nothing of this file still work on the schema after it. Write
-- `breaking` where they do not: DROP, RENAME, a narrowing MODIFY.
--
-- Take the # away from what you need:
-- # verify: SELECT COUNT(*) = 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '…'
-- # resume: rerun
--
-- One statement at a time, each of which may be the last before a crash. Once released, this file
-- is never changed.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MigrationSet;

    fn directory(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for name in files {
            std::fs::write(dir.path().join(name), "SELECT 1;").expect("written");
        }
        dir
    }

    fn made(files: &[&str], name: &str) -> String {
        let dir = directory(files);
        let path = new_migration(dir.path(), name).expect("a file");
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    }

    #[test]
    fn the_next_number_is_as_wide_as_the_newest() {
        assert_eq!(made(&[], "First"), "001_first.sql");
        assert_eq!(
            made(&["009_a.sql", "010_b.sql", "README.md"], "c"),
            "011_c.sql"
        );
        assert_eq!(made(&["0001_a.sql"], "b"), "0002_b.sql");
        assert_eq!(made(&["99_a.sql"], "b"), "100_b.sql");
        // A file that cannot be read as a migration still has its number.
        assert_eq!(made(&["7_a b'.sql"], "c"), "8_c.sql");
    }

    #[test]
    fn names_become_slugs_and_nonsense_is_refused() {
        assert_eq!(
            slug("Add index: on `entity`!").expect("a slug"),
            "add_index_on_entity"
        );
        assert_eq!(slug("2fa tokens.sql").expect("a slug"), "2fa_tokens");
        let long = "x".repeat(101);
        for nonsense in ["", "  ", "!!!", "42", "007_bond", "../x", "a/b", &long] {
            assert!(
                matches!(slug(nonsense), Err(NewMigrationError::Name { .. })),
                "{nonsense}"
            );
        }
    }

    #[test]
    fn what_is_written_is_a_migration_and_nothing_is_overwritten() {
        let dir = directory(&["001_a.sql"]);
        let path = new_migration(dir.path(), "add note").expect("a file");
        let set = MigrationSet::load(dir.path()).expect("it loads");
        let file = &set.files()[1];
        assert_eq!(
            (file.name(), file.description(), file.statements().len()),
            ("002_add_note.sql", "add note", 0)
        );
        std::fs::write(&path, "kept").expect("written");
        new_migration(dir.path(), "add note").expect("another number");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "kept");
    }

    #[test]
    fn the_last_number_and_a_missing_directory_are_errors() {
        let last = format!("{}_a.sql", u64::MAX);
        let dir = directory(&[&last]);
        let error = new_migration(dir.path(), "b").expect_err("no number");
        assert!(
            matches!(error, NewMigrationError::NoNumberLeft { .. }),
            "{error}"
        );
        let error = new_migration(&dir.path().join("none"), "b").expect_err("no directory");
        assert!(error.to_string().contains("cannot read"), "{error}");
    }
}
