//! What an application's own program for backups answers: the contract of docs/reference/backups.md.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backup {
    pub(crate) filename: String,
    pub(crate) kind: String,
    pub(crate) size_bytes: u64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) table_count: Option<u32>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub(crate) checksum: Option<String>,
    pub(crate) migration_head: Option<String>,
    /// When it was last loaded beside the live data.
    #[serde(default)]
    pub(crate) tested_at: Option<DateTime<Utc>>,
    /// Why it cannot be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

/// All backups, the newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct List {
    pub(crate) backups: Vec<Backup>,
}

impl List {
    /// What would be restored.
    pub(crate) fn newest_whole(&self) -> Option<&Backup> {
        self.backups.iter().find(|backup| backup.fault.is_none())
    }
}

/// The last line that is not empty; the error ends a sentence that begins with the program.
pub(crate) fn answer<T: DeserializeOwned>(said: &[u8]) -> Result<T, String> {
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let last = last.ok_or("said nothing")?;
    let value = serde_json::Value::from_str(last)
        .map_err(|_| format!("ended with a line that is not JSON: {last}"))?;
    serde_json::from_value(value)
        .map_err(|error| format!("ended with an answer that is not understood: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"filename":"manual_x","kind":"manual","size_bytes":1,"created_at":"2026-11-20T20:00:00Z","table_count":null,"checksum":null,"migration_head":null}"#;

    #[test]
    fn the_last_line_is_the_answer() {
        let said = format!("something else\n{LINE}\n\n");
        let backup: Backup = answer(said.as_bytes()).unwrap();
        assert_eq!((backup.filename.as_str(), backup.fault), ("manual_x", None));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (said, expected) in [
            ("", "said nothing"),
            ("done\n", "a line that is not JSON: done"),
            ("{}\n", "missing field `filename`"),
        ] {
            let fault = answer::<Backup>(said.as_bytes()).unwrap_err();
            assert!(fault.contains(expected), "{fault}");
        }
    }
}
