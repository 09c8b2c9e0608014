//! What a schema object looks like, as a hash: told apart before and after a definition statement.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Row, Value};
use sha2::{Digest as _, Sha256};

use super::Applier;
use crate::classify::{Object, ObjectKind};
use crate::error::{MigrateError, server_code};
use crate::files::hex;

impl Applier<'_> {
    /// Hash of the definitions of these objects, absent ones included; `None` when one cannot be
    /// read.
    pub(super) async fn definitions(
        &mut self,
        objects: &[Object],
    ) -> Result<Option<String>, MigrateError> {
        let mut hash = Sha256::new();
        for object in objects {
            let conn = &mut self.conn;
            let shown = self.dialer.bounded("reading a definition", async {
                match conn.query_first::<Row, _>(show_create(object)).await {
                    Ok(Some(row)) => Ok(Some(definition_text(&row))),
                    Err(error)
                        if server_code(&error).is_some_and(|code| ABSENT.contains(&code)) =>
                    {
                        Ok(Some(ABSENT_TEXT.to_owned()))
                    }
                    Ok(None) | Err(mysql_async::Error::Server(_)) => Ok(None),
                    Err(source) => Err(MigrateError::Session { source }),
                }
            });
            let Some(text) = shown.await? else {
                return Ok(None);
            };
            hash.update(text);
            hash.update([0]);
        }
        Ok(Some(hex(&hash.finalize())))
    }
}

/// What is hashed in place of a definition that is not there.
pub(super) const ABSENT_TEXT: &str = "absent";

/// No such table, routine, trigger, event, database: answers of `SHOW CREATE` only.
const ABSENT: [u16; 5] = [1146, 1305, 1360, 1539, 1049];

fn show_create(object: &Object) -> String {
    let kind = match object.kind {
        ObjectKind::Table => "TABLE",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Event => "EVENT",
    };
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let schema = object
        .schema
        .as_deref()
        .map(|schema| format!("{}.", quoted(schema)))
        .unwrap_or_default();
    format!("SHOW CREATE {kind} {schema}{}", quoted(&object.name))
}

fn definition_text(row: &Row) -> String {
    let columns: Vec<String> = (0..row.len())
        .map(|at| match row.as_ref(at) {
            Some(Value::Bytes(bytes)) => without_auto_increment(&String::from_utf8_lossy(bytes)),
            other => format!("{other:?}"),
        })
        .collect();
    columns.join("\u{1f}")
}

/// The counter of a table moves with every insert of the running application.
fn without_auto_increment(definition: &str) -> String {
    let Some((before, rest)) = definition.split_once(" AUTO_INCREMENT=") else {
        return definition.to_owned();
    };
    format!(
        "{before}{}",
        rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_of_a_table_is_not_part_of_its_definition() {
        assert_eq!(
            without_auto_increment(
                "CREATE TABLE a (b INT) ENGINE=InnoDB AUTO_INCREMENT=17 COMMENT='c'"
            ),
            "CREATE TABLE a (b INT) ENGINE=InnoDB COMMENT='c'"
        );
    }

    #[test]
    fn objects_are_asked_for_by_their_quoted_name() {
        let object = Object {
            kind: ObjectKind::Table,
            schema: Some("o`dd".into()),
            name: "a".into(),
        };
        assert_eq!(show_create(&object), "SHOW CREATE TABLE `o``dd`.`a`");
    }
}
