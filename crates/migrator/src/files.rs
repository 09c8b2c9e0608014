//! A directory of `NNN_name.sql` files → [`MigrationSet`], with every fault found at once.
//!
//! It reads files and nothing else. Whether a number may occur twice or be left out depends on
//! the ledger too, and is decided in `position`.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::header::{Compat, Verify, header};
use crate::split::{PieceKind, SplitError, Statement, pieces};

/// The migrations of one release, in numeric order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigrationSet {
    directory: PathBuf,
    files: Vec<MigrationFile>,
}

/// One migration file, read and split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFile {
    version: u64,
    name: String,
    description: String,
    compat: Compat,
    checksum: String,
    statements: Vec<Statement>,
    verify: Option<Verify>,
    rerun: bool,
}

impl MigrationSet {
    /// Reads every `*.sql` file of the directory; other files are left alone.
    ///
    /// A name is digits, `_`, a description and `.sql`. All faults of all files are reported
    /// together.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        let mut faults = Vec::new();
        let mut files = Vec::new();
        let names = sql_files(dir).map_err(|source| LoadError {
            directory: dir.to_owned(),
            faults: vec![LoadFault {
                file: None,
                line: None,
                what: format!("the directory cannot be read: {source}"),
            }],
        })?;
        for name in names {
            match std::fs::read(dir.join(&name)) {
                Ok(bytes) => match MigrationFile::parse(&name, &bytes) {
                    Ok(file) => files.push(file),
                    Err(more) => faults.extend(more),
                },
                Err(source) => faults.push(LoadFault {
                    file: Some(name),
                    line: None,
                    what: format!("the file cannot be read: {source}"),
                }),
            }
        }
        if !faults.is_empty() {
            return Err(LoadError {
                directory: dir.to_owned(),
                faults,
            });
        }
        Ok(Self::of(dir, files))
    }

    /// A set of files that were read one by one.
    pub(crate) fn of(directory: &Path, mut files: Vec<MigrationFile>) -> Self {
        files.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
        Self {
            directory: directory.to_owned(),
            files,
        }
    }

    /// The files, in numeric order.
    pub fn files(&self) -> &[MigrationFile] {
        &self.files
    }

    /// The directory that they were read from.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest file's name.
    pub fn head(&self) -> Option<&str> {
        self.files.last().map(MigrationFile::name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&MigrationFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

impl MigrationFile {
    /// Reads one file from its name and its bytes.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<LoadFault>> {
        let fault = |line: Option<usize>, what: String| LoadFault {
            file: Some(name.to_owned()),
            line,
            what,
        };
        let Some((version, rest)) = version_and_rest(name) else {
            return Err(vec![fault(
                None,
                "the name is not digits, `_`, a description and `.sql`, like 012_add_index.sql"
                    .to_owned(),
            )]);
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(vec![fault(
                None,
                "the text is not UTF-8; convert it".to_owned(),
            )]);
        };
        // As the client has it: line ends are the same in every checkout.
        let script = &text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .replace("\r\n", "\n");
        if let Some(at) = script.find('\0') {
            return Err(vec![fault(
                Some(script[..at].matches('\n').count() + 1),
                "there is a null byte; write \\0 inside a string, or 0x00".to_owned(),
            )]);
        }
        let pieces =
            pieces(script).map_err(|error| vec![fault(Some(error.line()), error.to_string())])?;
        let (header, faults) = header(&pieces);
        let statements: Vec<Statement> = pieces
            .iter()
            .filter(|piece| piece.kind == PieceKind::Statement)
            .map(|piece| Statement {
                text: piece.text.to_owned(),
                line: piece.line,
            })
            .collect();
        let mut faults: Vec<LoadFault> = faults
            .into_iter()
            .map(|found| fault(Some(found.line), found.what))
            .collect();
        faults.extend(statements.iter().filter(|statement| frees_locks(&statement.text)).map(|statement| {
            fault(Some(statement.line), "RELEASE_ALL_LOCKS() would free the migration lock; release your own lock by name".to_owned())
        }));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            version,
            name: name.to_owned(),
            description: header
                .description
                .unwrap_or_else(|| rest.replace(['_', '-'], " ")),
            compat: header.compat,
            checksum: checksum(script),
            statements,
            verify: header.verify,
            rerun: header.rerun,
        })
    }

    /// The number at the head of its name.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Its file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header's description, or the words of the name.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether earlier releases still work on the schema after it.
    pub fn compat(&self) -> Compat {
        self.compat
    }

    /// SHA-256 of the text in hexadecimal, without a byte order mark and with Unix line ends, so
    /// that a checkout on another system has the same.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// Its statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Its post-condition.
    pub fn verify(&self) -> Option<&Verify> {
        self.verify.as_ref()
    }

    /// Whether its author promises that the whole file may run again (`-- resume: rerun`).
    pub fn may_rerun(&self) -> bool {
        self.rerun
    }

    /// SHA-256 of the first `count` statements: tells whether what ran is still what stands there.
    pub(crate) fn prefix_checksum(&self, count: usize) -> String {
        let mut hash = Sha256::new();
        for statement in self.statements.iter().take(count) {
            hash.update(statement.text.replace("\r\n", "\n"));
            hash.update([0]);
        }
        hex(&hash.finalize())
    }
}

/// Number and description in a file name.
pub(crate) fn version_and_rest(name: &str) -> Option<(u64, &str)> {
    let (number, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || rest.is_empty() {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

pub(crate) fn sql_files(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Hidden files are editors' droppings.
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "sql")
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn frees_locks(statement: &str) -> bool {
    statement.to_ascii_uppercase().contains("RELEASE_ALL_LOCKS")
}

fn checksum(script: &str) -> String {
    hex(&Sha256::digest(script.replace("\r\n", "\n")))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Why a directory of migrations cannot be used: every fault that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The directory.
    pub directory: PathBuf,
    /// What is wrong, at least one.
    pub faults: Vec<LoadFault>,
}

/// One thing that is wrong with a directory of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFault {
    /// File name; absent when it is the directory.
    pub file: Option<String>,
    /// Line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot load the migrations in {}:",
            self.directory.display()
        )?;
        for fault in &self.faults {
            f.write_str("\n  ")?;
            if let Some(file) = &fault.file {
                f.write_str(file)?;
                match fault.line {
                    Some(line) => write!(f, ":{line}: ")?,
                    None => f.write_str(": ")?,
                }
            }
            f.write_str(&fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

impl SplitError {
    fn line(&self) -> usize {
        match self {
            Self::OpenQuote { line, .. }
            | Self::OpenComment { line }
            | Self::BadDelimiter { line }
            | Self::DelimiterInStatement { line, .. } => *line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).expect("written");
        }
        dir
    }

    #[test]
    fn files_come_in_numeric_order_and_others_are_left_alone() {
        let dir = directory(&[
            ("10_c.sql", b"SELECT 3"),
            ("002_b.sql", b"SELECT 2"),
            ("001_a_first.sql", b"SELECT 1"),
            ("README.md", b"no"),
            (".003_x.sql", b"no"),
        ]);
        let set = MigrationSet::load(dir.path()).expect("loads");
        let names: Vec<_> = set.files().iter().map(MigrationFile::name).collect();
        assert_eq!(names, ["001_a_first.sql", "002_b.sql", "10_c.sql"]);
        assert_eq!(set.files()[0].description(), "a first");
        assert_eq!(set.head(), Some("10_c.sql"));
    }

    #[test]
    fn the_checksum_is_the_same_with_windows_line_ends_and_a_byte_order_mark() {
        let unix = MigrationFile::parse("1_a.sql", b"SELECT 1;\nSELECT 2;\n").expect("parses");
        let windows =
            MigrationFile::parse("1_a.sql", "\u{feff}SELECT 1;\r\nSELECT 2;\r\n".as_bytes())
                .expect("parses");
        assert_eq!(unix.checksum(), windows.checksum());
        assert_eq!(windows.statements()[0].text, "SELECT 1");
        assert_eq!(unix.prefix_checksum(2), windows.prefix_checksum(2));
        assert_ne!(unix.prefix_checksum(1), unix.prefix_checksum(2));
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let dir = directory(&[
            ("a.sql", b"SELECT 1"),
            ("1_b.sql", b"SELECT 1;\nSELECT 'x"),
            ("2_c.sql", b"\xff\xfe"),
            ("3_d.sql", b"-- compat: yes\nDO RELEASE_ALL_LOCKS();"),
        ]);
        let error = MigrationSet::load(dir.path()).expect_err("faults");
        let found: Vec<_> = error
            .faults
            .iter()
            .map(|fault| (fault.file.as_deref().unwrap_or(""), fault.line))
            .collect();
        assert_eq!(
            found,
            [
                ("1_b.sql", Some(2)),
                ("2_c.sql", None),
                ("3_d.sql", Some(1)),
                ("3_d.sql", Some(2)),
                ("a.sql", None)
            ]
        );
        assert!(error.to_string().contains("1_b.sql:2: "), "{error}");
    }

    #[test]
    fn a_missing_directory_is_an_error_and_an_empty_one_is_not() {
        let dir = directory(&[]);
        assert_eq!(MigrationSet::load(dir.path()).expect("loads").files(), []);
        assert!(MigrationSet::load(&dir.path().join("none")).is_err());
    }
}
