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
    BadPattern {
        path: PathBuf,
        line: usize,
        text: String,
        reason: &'static str,
    },
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
            rules.push(Rule {
                keep,
                pattern,
                regex,
            });
        }
        Ok(Self { rules })
    }

    /// Whether `path`, relative to the context, stays out.
    pub(crate) fn ignores(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.rules.iter().fold(false, |ignored, rule| {
            // Deciding a known outcome again would change nothing.
            if ignored != rule.keep || !rule.matches_or_holds(&path) {
                ignored
            } else {
                !rule.keep
            }
        })
    }

    /// Whether something below an ignored directory may be kept, so that it must be looked into.
    pub(crate) fn may_keep_below(&self, directory: &Path) -> bool {
        let directory = directory.to_string_lossy();
        self.rules
            .iter()
            .any(|rule| rule.keep && rule.may_match_below(&directory))
    }
}

/// Which files of a context a Dockerfile reads: the sources of its `COPY` and the like.
#[derive(Debug)]
pub(crate) struct Sources {
    rules: Vec<Rule>,
    everything: bool,
}

impl Sources {
    /// `None` when one of them is no pattern; the build will say so.
    pub(crate) fn new(sources: &[impl AsRef<str>]) -> Option<Self> {
        let patterns: Vec<String> = sources
            .iter()
            .map(|source| clean(source.as_ref()))
            .collect();
        let everything = patterns.iter().any(String::is_empty);
        let rule = |pattern: String| {
            Some(Rule {
                keep: true,
                regex: regex_of(&pattern).ok()?,
                pattern,
            })
        };
        let rules = patterns.into_iter().map(rule).collect::<Option<_>>()?;
        Some(Self { rules, everything })
    }

    /// Whether `path` is one of them or lies below one.
    pub(crate) fn reaches(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.everything || self.rules.iter().any(|rule| rule.matches_or_holds(&path))
    }

    /// Whether one of them names `path` itself or leads through it.
    pub(crate) fn names_or_passes(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        let by = |rule: &Rule| rule.regex.is_match(&path) || rule.leads_through(&path);
        !self.everything && self.rules.iter().any(by)
    }
}

impl Rule {
    /// Whether the pattern has more segments than `path`, and its first ones match.
    fn leads_through(&self, path: &str) -> bool {
        let depth = path.split('/').count();
        let segments: Vec<&str> = self.pattern.split('/').collect();
        segments.contains(&"**")
            || segments.len() > depth
                && regex_of(&segments[..depth].join("/")).is_ok_and(|regex| regex.is_match(path))
    }

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
                regex.push_str(if rest.peek().is_none() {
                    ".*"
                } else {
                    "(?:.*/)?"
                });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(text: &str) -> Ignore {
        Ignore::parse(text, Path::new(".dockerignore")).unwrap()
    }

    fn kept<'a>(rules: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = ignore(rules);
        paths
            .iter()
            .copied()
            .filter(|path| !ignore.ignores(Path::new(path)))
            .collect()
    }

    /// The cases of the reference documentation, each with what it says about them.
    #[test]
    fn patterns_mean_what_the_documentation_says() {
        for (pattern, path, ignored) in [
            // One level below the root, and only one.
            ("*/temp*", "somedir/temporary.txt", true),
            ("*/temp*", "somedir/temp", true),
            ("*/temp*", "temp", false),
            ("*/temp*", "a/b/temp", false),
            ("*/*/temp*", "somedir/subdir/temporary.txt", true),
            ("*/*/temp*", "somedir/temporary.txt", false),
            // `?` is one character, which must be there and is no slash.
            ("temp?", "tempa", true),
            ("temp?", "temp", false),
            ("temp?", "temp/", false),
            ("temp?", "tempab", false),
            // `**` is any number of directories, none included.
            ("**/*.go", "main.go", true),
            ("**/*.go", "a/b/c/main.go", true),
            ("**/*.go", "main.gox", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "ab/z", false),
            ("**", "anything/at/all", true),
            ("**/foo", "foo", true),
            ("**/foo", "a/foo/below", true),
            // Anchored at the root, with or without a leading slash; a trailing one is nothing.
            ("/foo/bar", "foo/bar", true),
            ("foo/bar", "foo/bar", true),
            ("foo", "a/foo", false),
            ("foo/", "foo", true),
            ("/foo", "foo", true),
            ("./foo", "foo", true),
            ("foo/../bar", "bar", true),
            // What is below an ignored directory is ignored.
            ("foo", "foo/bar/baz", true),
            ("foo", "foobar", false),
            // Names that look like patterns elsewhere.
            ("a.b", "axb", false),
            ("{a,b}", "a", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*.md", "docs/README.md", false),
            // Case counts.
            ("Readme", "README", false),
        ] {
            let got = ignore(pattern).ignores(Path::new(path));
            assert_eq!(got, ignored, "{pattern} on {path}");
        }
    }

    #[test]
    fn comments_blank_lines_and_the_root_ignore_nothing() {
        let rules = "\u{feff}# a comment\n\n   \n.\n/\n# foo\n";
        assert_eq!(kept(rules, &["foo", "# foo", "."]), ["foo", "# foo", "."]);
    }

    #[test]
    fn blanks_around_a_pattern_do_not_count_but_an_indented_hash_does() {
        assert_eq!(kept("  foo \t\n #bar\n", &["foo", "#bar", "bar"]), ["bar"]);
        assert_eq!(kept("foo\r\nbar\r\n", &["foo", "bar"]), [""; 0]);
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        let files = ["README.md", "README-secret.md", "other.md", "a.txt"];
        assert_eq!(kept("*.md\n!README.md\n", &files), ["README.md", "a.txt"]);
        let both = "*.md\n!README*.md\nREADME-secret.md\n";
        assert_eq!(kept(both, &files), ["README.md", "a.txt"]);
        let undone = "*.md\nREADME-secret.md\n!README*.md\n";
        assert_eq!(
            kept(undone, &files),
            ["README.md", "README-secret.md", "a.txt"]
        );
    }

    #[test]
    fn an_exception_reaches_into_an_ignored_directory() {
        let files = [
            "target",
            "target/debug",
            "target/keep/a",
            "target/keep",
            "src",
        ];
        assert_eq!(
            kept("target\n!target/keep\n", &files),
            ["target/keep/a", "target/keep", "src"]
        );
        assert_eq!(
            kept("*\n! src \n", &["src/main.rs", "README"]),
            ["src/main.rs"]
        );
    }

    #[test]
    fn an_ignored_directory_is_entered_only_where_an_exception_may_be() {
        let rules = ignore("*\n!src/deep/file\n!docs/**/*.md\n");
        for (directory, enter) in [
            ("src", true),
            ("src/deep", true),
            ("src/other", false),
            ("docs", true),
            ("docs/a/b", true),
            ("target", false),
        ] {
            assert_eq!(
                rules.may_keep_below(Path::new(directory)),
                enter,
                "{directory}"
            );
        }
        assert!(ignore("*\n!**/x\n").may_keep_below(Path::new("anywhere")));
        assert!(!ignore("*\n").may_keep_below(Path::new("anywhere")));
    }

    #[test]
    fn a_line_that_is_no_pattern_is_refused_with_its_place() {
        for (text, expected) in [
            (
                "ok\n!\n",
                ".dockerignore:2: `!` is no pattern: nothing stands after the `!`",
            ),
            (
                "[a\n",
                ".dockerignore:1: `[a` is no pattern: the `[` is never closed",
            ),
            (
                "a\\\n",
                ".dockerignore:1: `a\\` is no pattern: nothing stands after the `\\`",
            ),
            (
                "[z-a]\n",
                ".dockerignore:1: `[z-a]` is no pattern: the range in `[…]` is not one",
            ),
        ] {
            let error = Ignore::parse(text, Path::new(".dockerignore")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_dockerfiles_own_ignore_file_goes_before_the_common_one() {
        let root = tempfile::tempdir().unwrap();
        let ignores = |name: &str, path: &str| {
            let dockerfile = root.path().join(name);
            Ignore::for_build(root.path(), &dockerfile)
                .unwrap()
                .ignores(Path::new(path))
        };
        assert!(
            !ignores("Dockerfile.api", "common"),
            "without files nothing is ignored"
        );
        fs::write(root.path().join(".dockerignore"), "common").unwrap();
        fs::write(root.path().join("Dockerfile.api.dockerignore"), "own").unwrap();
        assert!(ignores("Dockerfile.web", "common"));
        assert!(!ignores("Dockerfile.web", "own"));
        assert!(!ignores("Dockerfile.api", "common"));
        assert!(ignores("Dockerfile.api", "own"));
    }
}
