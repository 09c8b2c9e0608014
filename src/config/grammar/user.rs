//! Users and owners.

use crate::config::{read::Problem, stack::Owner};

/// `UID`, `UID:GID`, or names of the image's users and groups.
pub(in crate::config) fn user(text: &str) -> Result<String, Problem> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if [Some(user), group]
        .into_iter()
        .flatten()
        .all(is_user_or_group)
    {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a user"),
        "write a number, \"number:number\", or the name of a user of the image",
    ))
}

fn is_user_or_group(text: &str) -> bool {
    if text.chars().all(|c| c.is_ascii_digit()) {
        return text.parse::<u32>().is_ok();
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// `UID:GID`, or `UID` for a group of the same number.
pub(in crate::config) fn owner(text: &str) -> Result<Owner, Problem> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    match (uid.parse(), gid.parse()) {
        (Ok(uid), Ok(gid)) => Ok(Owner { uid, gid }),
        _ => Err(Problem::new(
            format!("`{text}` is not an owner"),
            "write it in numbers: \"1000:1000\"",
        )),
    }
}

/// An owner as it is written.
pub(in crate::config) fn show_owner(owner: Owner) -> String {
    format!("{}:{}", owner.uid, owner.gid)
}

/// The numbers of a `user` value; `None` when it is a name. A user alone has group 0, as the engine has it.
pub(in crate::config) fn numeric_user(user: &str) -> Option<Owner> {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    Some(Owner {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
    })
}
