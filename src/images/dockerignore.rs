//! `.dockerignore` by its documented rules, which are not those of `.gitignore`: a pattern is
//! anchored at the context's root, and the last line that matches decides.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use regex::Regex;

/// Which files stay out of a build context.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// A line that begins with `!`: what it matches is sent after all.
    keep: bool,
    pattern: String,
    regex: Regex,
}

/// An ignore file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IgnoreError {
    #[error("reading `{}`: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}: `{text}` is no pattern: {reason}", .path.display())]
    BadPattern { path: PathBuf, line: usize, text: String, reason: &'static str },
}

impl Ignore {
    /// Nothing is ignored.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// The rules for `dockerfile`: `‹dockerfile›.dockerignore` beside it, or else the context's
    /// `.dockerignore`, or else nothing is ignored.
    pub(crate) fn for_build(context: &Path, dockerfile: &Path) -> Result<Self, IgnoreError> {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(".dockerignore");
        for path in [PathBuf::from(own), context.join(".dockerignore")] {
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&text, &path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(IgnoreError::Unreadable { path, source }),
            }
        }
        Ok(Self::nothing())
    }

    /// Reads the lines of an ignore file; `path` is for errors.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            // A comment begins in the first column; elsewhere `#` is part of a name.
            if line.starts_with('#') {
                continue;
            }
            let bad = |reason| IgnoreError::BadPattern {
                path: path.to_path_buf(),
                line: index + 1,
                text: line.to_owned(),
                reason,
            };
            let text = line.trim();
            let (keep, text) = match text.strip_prefix('!') {
                Some("") => return Err(bad("nothing stands after the `!`")),
                Some(rest) => (true, rest.trim()),
                None => (false, text),
            };
            let pattern = clean(text);
            // `.` is the root itself, which cannot be ignored.
            if pattern.is_empty() {
                continue;
            }
            let regex = regex_of(&pattern).map_err(bad)?;
            rules.push(Rule { keep, pattern, regex });
        }
        Ok(Self { rules })
    }

    /// Whether `path`, relative to the context, stays out.
    pub(crate) fn ignores(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.rules.iter().fold(false, |ignored, rule| {
            // Deciding a known outcome again would change nothing.
            if ignored != rule.keep || !rule.matches_or_holds(&path) { ignored } else { !rule.keep }
        })
    }

    /// Whether something below an ignored directory may be kept, so that it must be looked into.
    pub(crate) fn may_keep_below(&self, directory: &Path) -> bool {
        let directory = directory.to_string_lossy();
        self.rules.iter().any(|rule| rule.keep && rule.may_match_below(&directory))
    }
}

impl Rule {
    /// A pattern also covers everything below what it matches.
    fn matches_or_holds(&self, path: &str) -> bool {
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        parents.chain([path]).any(|path| self.regex.is_match(path))
    }

    /// Compares segment by segment until one of the pattern's is not plain text.
    fn may_match_below(&self, directory: &str) -> bool {
        for (ours, theirs) in self.pattern.split('/').zip(directory.split('/')) {
            if ours.contains(['*', '?', '[', '\\']) {
                return true;
            }
            if ours != theirs {
                return false;
            }
        }
        true
    }
}

/// Without leading and trailing slashes, `.` and `..`, as a path relative to the root.
fn clean(pattern: &str) -> String {
    let mut segments = Vec::new();
    for segment in pattern.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    segments.join("/")
}

/// `*` and `?` stay within a name, `**` crosses them, `[a-z]` is a class, `\` makes plain.
fn regex_of(pattern: &str) -> Result<Regex, &'static str> {
    let mut regex = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                regex.push_str(if rest.peek().is_none() { ".*" } else { "(?:.*/)?" });
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => class(&mut rest, &mut regex)?,
            '\\' => {
                let plain = rest.next().ok_or("nothing stands after the `\\`")?;
                regex.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4])));
            }
            plain => regex.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    Regex::new(&regex).map_err(|_| "the range in `[…]` is not one")
}

/// `[abc]`, `[a-z]`, `[^a]`; the opening bracket is read already.
fn class(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    regex: &mut String,
) -> Result<(), &'static str> {
    const OPEN: &str = "the `[` is never closed";
    regex.push('[');
    if rest.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    let mut empty = true;
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if empty => return Err("`[]` matches nothing"),
            ']' => break,
            '-' => regex.push('-'),
            '\\' => {
                let plain = rest.next().ok_or(OPEN)?;
                regex.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4])));
            }
            // `&&` and `~~` would mean something to the regex library.
            plain @ ('[' | '&' | '~' | '^') => {
                regex.push('\\');
                regex.push(plain);
            }
            plain => regex.push(plain),
        }
        empty = false;
    }
    regex.push(']');
    Ok(())
}
