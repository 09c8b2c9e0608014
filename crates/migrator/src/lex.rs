//! The lexical facts of `MySQL` that splitting and classifying share: where a quoted string, a
//! comment and an executable comment end, and the words of one statement.
//!
//! Works on bytes: everything that matters is ASCII, and no byte of a multi-byte UTF-8 character
//! is. It never judges what a statement means.

/// Index behind the closing quote, for the opening one at `at`; `None` when it is never closed.
///
/// A doubled quote is part of the text; a backslash escapes in `'` and `"`, not in `` ` ``.
pub(crate) fn quoted_end(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    let mut i = at + 1;
    while i < bytes.len() {
        if bytes[i] == b'\\' && quote != b'`' {
            i += 2;
        } else if bytes[i] == quote {
            if bytes.get(i + 1) != Some(&quote) {
                return Some(i + 1);
            }
            i += 2;
        } else {
            i += 1;
        }
    }
    None
}

/// Index of the line end (or of the end of the text) of the comment that begins at `at`.
pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |offset| at + offset)
}

/// Index behind the `*/` of the `/*` at `at`; `None` when it is never closed.
pub(crate) fn block_comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    bytes[at + 2..]
        .windows(2)
        .position(|pair| pair == b"*/")
        .map(|offset| at + 2 + offset + 2)
}

/// Length of `/*!`, `/*!80013` or `/*M!100100` at `at`, when an executable comment begins there.
pub(crate) fn executable_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let mark = if rest.starts_with(b"/*!") {
        3
    } else if rest.starts_with(b"/*M!") {
        4
    } else {
        return None;
    };
    let digits = rest[mark..]
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    Some(mark + digits)
}

/// Whether a `--` comment begins at `at`: the server and the `mysql` client want white space or
/// the end behind it.
pub(crate) fn dash_comment(bytes: &[u8], at: usize) -> bool {
    let behind = bytes.get(at + 2);
    bytes[at..].starts_with(b"--")
        && behind.is_none_or(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

/// One lexical element of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A bare word (keyword, name or number), as written.
    Word(String),
    /// A name in back quotes, unquoted.
    Name(String),
    /// A string in ' or ", without them, its escapes as written.
    Text(String),
    /// `@name`.
    UserVariable,
    /// `@@name`.
    SystemVariable,
    /// Any other character.
    Mark(u8),
}

impl Token {
    /// Whether it is this keyword, in any case.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name that it can stand for.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The elements of one statement, comments left out, executable comments opened.
pub(crate) fn tokens(statement: &str) -> Vec<Token> {
    let bytes = statement.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at = match byte {
            b'#' => line_end(bytes, at),
            b'-' if dash_comment(bytes, at) => line_end(bytes, at),
            b'/' if executable_comment(bytes, at).is_some() => {
                at + executable_comment(bytes, at).unwrap_or(3)
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                block_comment_end(bytes, at).unwrap_or(bytes.len())
            }
            // Only the end of an executable comment can be here.
            b'*' if bytes.get(at + 1) == Some(&b'/') => at + 2,
            b'\'' | b'"' => {
                let end = quoted_end(bytes, at).unwrap_or(bytes.len());
                let inner = statement.get(at + 1..end.saturating_sub(1));
                tokens.push(Token::Text(inner.unwrap_or("").to_owned()));
                end
            }
            b'`' => {
                let end = quoted_end(bytes, at).unwrap_or(bytes.len());
                let inner = statement.get(at + 1..end.saturating_sub(1)).unwrap_or("");
                tokens.push(Token::Name(inner.replace("``", "`")));
                end
            }
            b'@' => {
                let system = bytes.get(at + 1) == Some(&b'@');
                tokens.push(if system {
                    Token::SystemVariable
                } else {
                    Token::UserVariable
                });
                variable_end(bytes, at + 1 + usize::from(system))
            }
            _ if is_word(byte) => {
                let end = word_end(bytes, at);
                tokens.push(Token::Word(statement[at..end].to_owned()));
                end
            }
            _ if byte.is_ascii_whitespace() => at + 1,
            _ => {
                tokens.push(Token::Mark(byte));
                at + 1
            }
        };
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| !is_word(*byte))
        .map_or(bytes.len(), |offset| at + offset)
}

/// Behind the name of a variable; the name may be quoted, and may have dots.
fn variable_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'\'' | b'"' | b'`') => quoted_end(bytes, at).unwrap_or(bytes.len()),
        _ => bytes[at..]
            .iter()
            .position(|byte| !is_word(*byte) && *byte != b'.')
            .map_or(bytes.len(), |offset| at + offset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_vanish_and_executable_comments_are_opened() {
        let words = |sql: &str| -> Vec<String> {
            tokens(sql)
                .iter()
                .filter_map(|token| token.name().map(str::to_owned))
                .collect()
        };
        assert_eq!(words("/* a */ SELECT -- b\n 1 # c\n"), ["SELECT", "1"]);
        assert_eq!(
            words("/*!80013 CREATE */ TABLE `we``ird`"),
            ["CREATE", "TABLE", "we`ird"]
        );
        assert_eq!(words("SELECT 5--1"), ["SELECT", "5", "1"]);
    }

    #[test]
    fn variables_are_told_from_system_variables() {
        assert_eq!(
            tokens("SET @a := @@sql_mode"),
            [
                Token::Word("SET".into()),
                Token::UserVariable,
                Token::Mark(b':'),
                Token::Mark(b'='),
                Token::SystemVariable,
            ]
        );
    }
}
