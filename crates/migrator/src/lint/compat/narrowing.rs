//! Whether a column takes less than before.

use crate::ddl::Column;

/// How; `None` when all that fitted before fits still, and reads the same.
pub(super) fn narrowing(before: &Column, after: &Column) -> Option<String> {
    if after.not_null && !before.not_null {
        return Some("no longer takes NULL".to_owned());
    }
    if let (Some(old), Some(new)) = (before.integer_bytes(), after.integer_bytes()) {
        let less =
            new < old || (before.unsigned != after.unsigned && !(before.unsigned && new > old));
        return less.then(|| format!("takes fewer numbers as {}", written(after)));
    }
    if let (Some(old), Some(new)) = (room(before), room(after))
        && binary(before) == binary(after)
    {
        if new < old {
            return Some(format!("takes shorter values as {}", written(after)));
        }
        let charset = after
            .charset
            .as_ref()
            .filter(|charset| !charset.starts_with("utf8"));
        let fewer = charset.filter(|charset| before.charset.as_ref() != Some(charset));
        return fewer.map(|charset| format!("takes only the characters of {charset}"));
    }
    if before.kind != after.kind {
        return Some(format!(
            "becomes {}, which was {}",
            written(after),
            written(before)
        ));
    }
    let less = match after.kind.as_str() {
        "enum" | "set" => !before
            .members
            .iter()
            .all(|member| after.members.contains(member)),
        "decimal" => match (&before.size[..], &after.size[..]) {
            ([old, old_scale], [new, new_scale]) => {
                new_scale < old_scale
                    || new.saturating_sub(*new_scale) < old.saturating_sub(*old_scale)
            }
            _ => false,
        },
        _ => after.size < before.size,
    };
    less.then(|| format!("takes fewer values as {}", written(after)))
}

/// Characters or bytes that fit, of texts and binary strings.
fn room(column: &Column) -> Option<u64> {
    Some(match column.kind.as_str() {
        "char" | "varchar" | "binary" | "varbinary" => *column.size.first()?,
        "tinytext" | "tinyblob" => (1 << 8) - 1,
        "text" | "blob" => (1 << 16) - 1,
        "mediumtext" | "mediumblob" => (1 << 24) - 1,
        "longtext" | "longblob" => (1 << 32) - 1,
        _ => return None,
    })
}

fn binary(column: &Column) -> bool {
    column.kind.ends_with("blob") || column.kind.ends_with("binary")
}

/// The type as it would be written.
fn written(column: &Column) -> String {
    let mut text = column.kind.to_uppercase();
    let inner: Vec<String> = if column.members.is_empty() {
        column
            .size
            .iter()
            .filter(|size| **size > 0)
            .map(u64::to_string)
            .collect()
    } else {
        column
            .members
            .iter()
            .map(|member| format!("'{member}'"))
            .collect()
    };
    if !inner.is_empty() {
        text += &format!("({})", inner.join(", "));
    }
    if column.unsigned {
        text += " UNSIGNED";
    }
    text
}
