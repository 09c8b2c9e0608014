//! The rules by their names. What each finds stands in `docs/reference/migration-lint.md`.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A start would be refused or stopped, or a roll-out would fail requests.
    Error,
    /// It is likely not what was meant.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $id:literal, $severity:ident;)*) => {
        /// A rule. Its name is stable: it stands in `-- lint: allow` lines.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $id)] $rule,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// Its name.
            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)* }
            }

            /// How bad what it finds is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)* }
            }
        }
    };
}

impl Rule {
    /// The rule of that name.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.id() == id)
    }

    /// Whether `-- lint: allow` may name it: what a start refuses stays refused.
    pub fn can_be_allowed(self) -> bool {
        !matches!(
            self,
            Self::NotLoadable
                | Self::DuplicateNumber
                | Self::BadAllow
                | Self::UnusedAllow
                | Self::ChangedFile
                | Self::MissingFile
                | Self::UnknownBreaking
                | Self::OutOfOrder
        )
    }
}

rules! {
    /// A file or the directory that a start refuses to load.
    NotLoadable = "not-loadable", Error;
    /// Two files with one number.
    DuplicateNumber = "duplicate-number", Error;
    /// A number that is left out.
    MissingNumber = "missing-number", Error;
    /// A file without a statement.
    EmptyFile = "empty-file", Warning;
    /// A definition that a crash leaves in doubt, because it has no guard.
    UnguardedDefinition = "unguarded-definition", Error;
    /// Another statement that a crash leaves in doubt.
    NotResumable = "not-resumable", Warning;
    /// `-- resume: rerun` above what cannot run twice.
    NotRepeatable = "not-repeatable", Warning;
    /// Something is taken away, and the file does not say `-- compat: breaking`.
    UnmarkedDrop = "unmarked-drop", Error;
    /// Something gets another name, and the file does not say `-- compat: breaking`.
    UnmarkedRename = "unmarked-rename", Error;
    /// A column takes less than before, and the file does not say `-- compat: breaking`.
    UnmarkedNarrowing = "unmarked-narrowing", Error;
    /// A column must be given by every writer, and the file does not say `-- compat: breaking`.
    UnmarkedRequired = "unmarked-required", Error;
    /// `CREATE TABLE` without the engine that the project demands.
    CreateWithoutEngine = "create-without-engine", Error;
    /// `CREATE TABLE` without the character set that the project demands.
    CreateWithoutCharset = "create-without-charset", Error;
    /// `USE`, or a name in another database.
    OtherDatabase = "other-database", Error;
    /// A statement that commits the transaction it stands in.
    ImplicitCommit = "implicit-commit", Error;
    /// A transaction that is never committed.
    OpenTransaction = "open-transaction", Error;
    /// A `-- lint: allow` line that cannot be followed.
    BadAllow = "bad-allow", Error;
    /// A `-- lint: allow` line that allows nothing.
    UnusedAllow = "unused-allow", Warning;
    /// An applied file was changed.
    ChangedFile = "changed-file", Error;
    /// A file of the ledger is missing.
    MissingFile = "missing-file", Error;
    /// The database has a breaking migration that these files do not.
    UnknownBreaking = "unknown-breaking", Error;
    /// A pending file with a lower number than an applied one.
    OutOfOrder = "out-of-order", Warning;
}
