//! What a command leaves in the audit: its words, without what belongs to this machine alone and
//! without secrets.

use crate::{
    cli::session::Session,
    config::{MASK, is_secret_name, url_passwords},
    error::Error,
    release::{self, AuditRecord, AuditResult},
};

/// Options of every command, with a value: they say how the stack is found from this machine and how
/// answers are printed, not what was done to it.
const GLOBAL: [(&str, Option<char>); 6] = [
    ("--config", Some('c')),
    ("--project", Some('p')),
    ("--host", Some('H')),
    ("--context", None),
    ("--format", None),
    ("--probe", None),
];
/// A secret shorter than this is found in every other word.
const SHORTEST_SECRET: usize = 4;

/// The command as it was typed, for the records.
pub(super) fn typed() -> String {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    join(&without_global(&words))
}

fn without_global(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        match global(word) {
            None => kept.push(word.clone()),
            Some(Value::Within) => {}
            Some(Value::Next) => drop(words.next()),
        }
    }
    kept
}

enum Value {
    Within,
    Next,
}

fn global(word: &str) -> Option<Value> {
    GLOBAL.iter().find_map(|(long, short)| {
        if let Some(rest) = word.strip_prefix(long) {
            return match rest.chars().next() {
                None => Some(Value::Next),
                Some('=') => Some(Value::Within),
                Some(_) => None,
            };
        }
        let rest = word.strip_prefix('-')?.strip_prefix((*short)?)?;
        Some(if rest.is_empty() {
            Value::Next
        } else {
            Value::Within
        })
    })
}

/// Words as one would type them.
fn join(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

fn quote(word: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || "-_=+.,:/@%^*".contains(c) || !c.is_ascii();
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command that someone runs inside of the stack goes into the audit before its end, since only its
/// begin is sure to be seen. What is typed into a shell or a console is not seen at all. The audit
/// that cannot be written is told and keeps nobody from mending what is broken.
pub(super) async fn record_entry(session: &Session, what: &str, words: &[String]) {
    let command = format!(
        "{what} {}",
        join(&without_secrets(words, &secrets(session)))
    );
    if let Err(error) = enter(session, command.trim_end()).await {
        session
            .printer
            .note(format!("this is not in the audit: {error}"));
    }
}

async fn enter(session: &Session, command: &str) -> Result<(), Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    let volume = release::volume_name(&stack.project);
    let volumes = engine.project_volumes(stack.project.as_str()).await?;
    // Nothing is recorded of what Compose brought up, or of what is down.
    if !volumes.iter().any(|found| found.name == volume) {
        return Ok(());
    }
    let record = AuditRecord::now(command, AuditResult::Begun);
    Ok(release::add_to_audit(engine, stack, &record).await?)
}

/// All that the stack hides from those who look at it.
fn secrets(session: &Session) -> Vec<String> {
    let services = session.stack.services.values();
    let texts = services.flat_map(|service| service.environment.values());
    let mut secrets: Vec<String> = texts
        .flat_map(|text| text.secrets().map(str::to_owned))
        .collect();
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    // One that holds another goes first.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

/// The words with all that is, or is called, a secret as `***`.
fn without_secrets(words: &[String], secrets: &[String]) -> Vec<String> {
    let mut masked = Vec::with_capacity(words.len());
    let mut is_value = false;
    for word in words {
        let name = word.trim_start_matches('-');
        masked.push(if is_value && !word.starts_with('-') {
            MASK.to_owned()
        } else {
            hide(word, secrets)
        });
        is_value = name != word && !name.contains('=') && is_secret_name(name);
    }
    masked
}

fn hide(word: &str, secrets: &[String]) -> String {
    let mut word = word.to_owned();
    for secret in secrets {
        word = word.replace(secret, MASK);
    }
    for range in url_passwords(&word).into_iter().rev() {
        word.replace_range(range, MASK);
    }
    if let Some((name, value)) = word.split_once('=')
        && !name.contains(char::is_whitespace)
        && !value.is_empty()
        && is_secret_name(name)
    {
        return format!("{name}={MASK}");
    }
    in_sql(&word)
}

/// `IDENTIFIED … BY 'secret'`, and what a client's `-psecret` would be is not: it may be anything.
fn in_sql(word: &str) -> String {
    let mut hidden = String::new();
    let mut rest = word;
    while let Some(at) = rest.to_ascii_lowercase().find("identified") {
        let after = &rest[at..];
        let statement = after.find(';').unwrap_or(after.len());
        let quote = after[..statement].to_ascii_lowercase().find(" by ");
        let open = quote.and_then(|by| Some(by + after[by..].find(['\'', '"'])?));
        let span = open.and_then(|open| {
            let sign = after[open..].chars().next()?;
            let end = after[open + 1..].find(sign)?;
            Some((open + 1, open + 1 + end))
        });
        let Some((from, to)) = span else {
            break;
        };
        hidden.push_str(&rest[..at + from]);
        hidden.push_str(MASK);
        rest = &rest[at + to..];
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn options_of_every_command_are_left_out() {
        let kept = |text: &str| join(&without_global(&words(text)));
        assert_eq!(
            kept("--config|/srv/a/sysndd.toml|-p|demo|up|--format=json|-n|8|-H|ssh://x"),
            "up -n 8"
        );
        assert_eq!(
            kept("-cfile|up|-m|what it is for|--context|far"),
            "up -m 'what it is for'"
        );
        assert_eq!(
            kept("restart|api|--|--config|x"),
            "restart api -- --config x"
        );
        assert_eq!(kept("up|--projects"), "up --projects");
        assert_eq!(kept("up|-m|it's"), r"up -m 'it'\''s'");
    }

    #[test]
    fn secrets_are_masked_by_their_values_and_by_their_names() {
        let secrets = ["hunter22".to_owned()];
        let masked = |text: &str| join(&without_secrets(&words(text), &secrets));
        assert_eq!(
            masked("mysql|-phunter22|-e|SELECT 1"),
            "mysql -p*** -e 'SELECT 1'"
        );
        assert_eq!(
            masked("env|API_TOKEN=abc|LEVEL=info|x"),
            "env API_TOKEN=*** LEVEL=info x"
        );
        assert_eq!(
            masked("tool|--password|abc|--user|ana"),
            "tool --password *** --user ana"
        );
        assert_eq!(
            masked("tool|--password=abc|--token-file=x"),
            "tool --password=*** --token-file=x"
        );
        assert_eq!(masked("curl|http://ana:pw1@x/y"), "curl http://ana:***@x/y");
        assert_eq!(
            masked(
                "-e|ALTER USER a IDENTIFIED WITH x BY 'one'; CREATE USER b identified by \"two\""
            ),
            r#"-e 'ALTER USER a IDENTIFIED WITH x BY '\''***'\''; CREATE USER b identified by "***"'"#
        );
        assert_eq!(
            masked("-e|SELECT identified FROM a"),
            "-e 'SELECT identified FROM a'"
        );
    }
}
