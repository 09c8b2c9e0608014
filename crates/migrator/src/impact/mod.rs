//! What a statement will cost a running database: whether it copies its table, and whether others
//! can write to it meanwhile. Pure: facts about the table come from the caller.
//!
//! What stands here is MySQL's documentation of online DDL, held against a real server by
//! `tests/mysql/impact.rs`. It never guesses: what it does not know is `unknown`, with the reason.

use serde::Serialize;

/// How the server carries a definition out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// The statement changes no table that is there.
    None,
    /// Only the dictionary changes.
    Instant,
    /// Inside the engine, mostly while others read and write.
    Inplace,
    /// Every row is copied into a new table; nobody writes meanwhile.
    Copy,
    /// It cannot be told beforehand.
    Unknown,
}

impl Algorithm {
    /// The word in `ALGORITHM = …`, or what stands in its place.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Instant => "instant",
            Self::Inplace => "inplace",
            Self::Copy => "copy",
            Self::Unknown => "unknown",
        }
    }
}

/// What others cannot do to the table while the statement is at work. The short exclusive lock
/// that every definition takes at its begin and its end is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// They read and write.
    None,
    /// They read; writers wait.
    Shared,
    /// They wait.
    Exclusive,
    /// It cannot be told beforehand.
    Unknown,
}

impl Lock {
    /// The word in `LOCK = …`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Unknown => "unknown",
        }
    }
}

/// The estimate for one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// What is done, in a few words.
    pub operation: String,
    /// The table that it is done to.
    pub table: Option<String>,
    /// Rows in the table, about.
    pub rows: Option<u64>,
    /// Bytes of data and indexes, about.
    pub bytes: Option<u64>,
    /// How the server does it.
    pub algorithm: Algorithm,
    /// Whether every row is written anew.
    pub rebuilds_table: bool,
    /// What others cannot do meanwhile.
    pub lock: Lock,
    /// Why it is so, and what to look out for.
    pub why: String,
}
