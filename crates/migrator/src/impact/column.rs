//! `MODIFY` and `CHANGE`: what turns on how a column was before.

use super::clause::{Effect, copy, instant, light, rebuild};
use crate::ddl::{Column, Table};

const CHANGE: &str = "change a column";
const LENGTH_STAYS: &str = "its length takes as many bytes as before";
const ANOTHER_TYPE: &str = "every value is converted to another type";

/// `instant_name`: whether its name stays, or the server renames instantly.
pub(super) fn change(
    before: &Column,
    after: &Column,
    table: &Table,
    instant_name: bool,
) -> Result<Effect, String> {
    if before.generated.is_some() || after.generated.is_some() {
        return Err("whether its expression changes cannot be told".to_owned());
    }
    let Some(text) = text(before, after, table) else {
        return Err(format!(
            "the character set of {} cannot be told",
            before.name
        ));
    };
    // An index is in the order of the collation.
    let sorted_anew = text != Text::Same && table.is_indexed(&before.name);
    if text == Text::Other
        || sorted_anew
        || before.kind != after.kind
        || before.unsigned != after.unsigned
        || after.auto_increment != before.auto_increment
    {
        return Ok(copy(CHANGE, ANOTHER_TYPE));
    }
    if text == Text::Widened && after.kind != "varchar" {
        return Err("the server decides by the type whether utf8mb4 takes a copy".to_owned());
    }
    let mut effect = match size(before, after, table) {
        Size::Same if text == Text::Compared && before.members.is_empty() => {
            light(CHANGE, "only how values are compared changes")
        }
        Size::Same if instant_name => instant(CHANGE),
        Size::Same => light(CHANGE, "only the dictionary changes"),
        Size::Appended => instant(CHANGE),
        Size::Longer => light(CHANGE, LENGTH_STAYS),
        Size::Other => return Ok(copy(CHANGE, ANOTHER_TYPE)),
        Size::Unknown => {
            return Err(format!(
                "the character set of {} cannot be told",
                before.name
            ));
        }
    };
    if after.not_null && !before.not_null {
        effect = rebuild(CHANGE, "every row is looked at for NULL, and written anew");
    } else if before.not_null && !after.not_null {
        effect = rebuild(CHANGE, "every row gets room for NULL");
    } else if after.placed {
        effect = rebuild(CHANGE, "the order of the columns changes in every row");
    }
    Ok(effect)
}

enum Size {
    Same,
    /// Members of `ENUM` or `SET` were added at the end.
    Appended,
    /// A text may be longer, and nothing stored changes.
    Longer,
    Other,
    Unknown,
}

fn size(before: &Column, after: &Column, table: &Table) -> Size {
    let (was, is) = (charset(before, table), charset(after, table));
    if before.size == after.size && before.members == after.members && was == is {
        return Size::Same;
    }
    match after.kind.as_str() {
        "enum" | "set" => {
            let added = after.members.starts_with(&before.members);
            let bytes = |column: &Column| match (&*column.kind, column.members.len()) {
                ("enum", count) => 1 + count / 256,
                (_, count) => [1, 2, 3, 4, 8]
                    .into_iter()
                    .find(|bytes| bytes * 8 >= count)
                    .unwrap_or(8),
            };
            if added && bytes(before) == bytes(after) {
                Size::Appended
            } else {
                Size::Other
            }
        }
        "varchar" | "varbinary" => {
            let (Some(old), Some(new)) = (before.size.first(), after.size.first()) else {
                return Size::Unknown;
            };
            let each = |charset: Option<String>| match &*after.kind {
                "varbinary" => Some(1),
                _ => bytes_each(&charset?),
            };
            let (Some(was), Some(is)) = (each(was), each(is)) else {
                return Size::Unknown;
            };
            // Up to 255 bytes the length takes one byte, above two.
            if new >= old && (old * was > 255) == (new * is > 255) {
                Size::Longer
            } else {
                Size::Other
            }
        }
        _ => Size::Other,
    }
}

/// What becomes of the characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Same,
    /// They are stored as before, and compared by another collation.
    Compared,
    /// From utf8mb3 to utf8mb4: the bytes stay, more may come.
    Widened,
    Other,
}

/// `None` when it cannot be told.
fn text(before: &Column, after: &Column, table: &Table) -> Option<Text> {
    if !is_text(&before.kind) || !is_text(&after.kind) {
        return Some(Text::Same);
    }
    let new = charset(after, table)?;
    let old = charset(before, table)?;
    if (old.as_str(), new.as_str()) == ("utf8mb3", "utf8mb4") {
        return Some(Text::Widened);
    }
    if new != old {
        return Some(Text::Other);
    }
    // Without a collation of its own it gets the table's, or its character set's default.
    let own = after.charset.is_none() && after.collation.is_none();
    let new = after
        .collation
        .clone()
        .or_else(|| own.then(|| table.collation.clone())?);
    let old = before.collation.clone().or_else(|| table.collation.clone());
    let same = match (new, old) {
        (Some(new), Some(old)) => new == old,
        // A character set that is named brings its default collation.
        (None, Some(old)) => is_default(&old),
        _ => return None,
    };
    Some(if same { Text::Same } else { Text::Compared })
}

/// Whether a collation is what its character set brings by itself.
fn is_default(collation: &str) -> bool {
    matches!(
        collation,
        "utf8mb4_0900_ai_ci"
            | "utf8mb3_general_ci"
            | "latin1_swedish_ci"
            | "ascii_general_ci"
            | "binary"
    )
}

fn is_text(kind: &str) -> bool {
    matches!(
        kind,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
    )
}

fn charset(column: &Column, table: &Table) -> Option<String> {
    let of = |collation: &String| {
        let name = collation.split('_').next().unwrap_or(collation);
        if name == "utf8" {
            "utf8mb3".to_owned()
        } else {
            name.to_owned()
        }
    };
    column
        .charset
        .clone()
        .map(|name| of(&name))
        .or_else(|| column.collation.as_ref().map(of))
        .or_else(|| table.collation.as_ref().map(of))
}

fn bytes_each(charset: &str) -> Option<u64> {
    Some(match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "gbk" | "big5" | "gb2312" | "euckr" | "sjis" | "cp932" => 2,
        "latin1" | "latin2" | "ascii" | "binary" | "cp1250" | "cp1251" | "koi8r" => 1,
        _ => return None,
    })
}
