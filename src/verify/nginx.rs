//! What `nginx -T` prints, as blocks of directives.

use std::collections::BTreeMap;

use super::{Context, Outcome};

/// What stands between two braces, `include`s put in their places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// As it is written: `location ^~ /api/`. The outermost has none.
    pub(super) name: String,
    directives: Vec<Vec<String>>,
    pub(super) blocks: Vec<Block>,
}

impl Block {
    /// The parameters of a directive of this very block; of several the last.
    pub(super) fn last(&self, directive: &str) -> Option<&[String]> {
        let words = self.directives.iter().rev();
        words
            .filter_map(|words| words.split_first())
            .find(|(name, _)| *name == directive)
            .map(|(_, parameters)| parameters)
    }

    /// The parameters of each such directive of this very block.
    pub(super) fn each<'a>(&'a self, directive: &'a str) -> impl Iterator<Item = &'a [String]> {
        let words = self.directives.iter();
        words
            .filter_map(|words| words.split_first())
            .filter(move |(name, _)| *name == directive)
            .map(|(_, parameters)| parameters)
    }
}

/// The blocks around what answers a path, the outermost first. As nginx looks for it, but for places that
/// are given by a pattern.
pub(super) fn way<'a>(root: &'a Block, path: &str) -> Vec<&'a Block> {
    let path = path.split('?').next().unwrap_or(path);
    let (_, mut way) = best(root, path).unwrap_or((0, vec![root]));
    way.reverse();
    way
}

/// How well the best place in a block fits, and the way from it outwards.
fn best<'a>(block: &'a Block, path: &str) -> Option<(usize, Vec<&'a Block>)> {
    let mut words = block.name.split(' ');
    let own = match (words.next(), words.next(), words.next()) {
        (Some("location"), Some("="), Some(whole)) => (path == whole).then_some(usize::MAX),
        (Some("location"), Some("^~"), Some(begin)) | (Some("location"), Some(begin), None) => {
            path.starts_with(begin).then_some(begin.len())
        }
        _ => None,
    };
    let inner = block.blocks.iter().filter_map(|inner| best(inner, path));
    let inner = inner.max_by_key(|(fits, _)| *fits);
    let (fits, mut way) = inner.or_else(|| own.map(|fits| (fits, Vec::new())))?;
    way.push(block);
    Some((fits, way))
}

/// What a directive says at the end of a way: in the innermost block that has it.
pub(super) fn nearest<'a>(way: &[&'a Block], directive: &str) -> Option<&'a [String]> {
    way.iter().rev().find_map(|block| block.last(directive))
}

/// What the edge was told, where the stack says how that is printed.
pub(super) async fn told<'a>(context: &'a Context<'_>) -> Result<Option<&'a Block>, Outcome> {
    let web = context.stack.verify.web.as_ref();
    if web.is_none_or(|web| web.configuration.is_empty()) {
        return Ok(None);
    }
    configuration(context).await.map(Some)
}

/// What the edge was told; where nothing prints it, that is the outcome.
pub(super) async fn configuration<'a>(context: &'a Context<'_>) -> Result<&'a Block, Outcome> {
    let told = context.edge_told.get_or_init(|| ask(context)).await;
    told.as_ref().map_err(Clone::clone)
}

async fn ask(context: &Context<'_>) -> Result<Block, Outcome> {
    let command = match &context.stack.verify.web {
        Some(web) if !web.configuration.is_empty() => &web.configuration,
        _ => {
            return Err(Outcome::skip(
                "the stack says by `configuration` in [verify.web] no command that prints the edge's configuration",
            ));
        }
    };
    let edge = context.stack.edge.as_ref();
    let edge = edge.ok_or_else(|| Outcome::skip("the stack has no [edge]"))?;
    let replica = context.running(&edge.service).map_err(Outcome::fail)?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let printed = context.exec(replica, &words).await;
    let printed = printed.map_err(|error| Outcome::fail(error.to_string()))?;
    if !printed.success() {
        return Err(Outcome::fail(format!(
            "`{}` in {} ends with {}: {}",
            command.join(" "),
            replica.name,
            printed.exit_code,
            printed.text()
        )));
    }
    let text = String::from_utf8_lossy(&printed.stdout);
    read(&text).map_err(|cause| Outcome::fail(format!("`{}` prints {cause}", command.join(" "))))
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// Begins each file, and says which one it is.
const FILE: &str = "# configuration file ";
/// A file may include others, but not for ever.
const DEEPEST: usize = 16;

/// Reads the whole: the first file, with all that it includes.
pub(super) fn read(printed: &str) -> Result<Block, String> {
    let mut files: BTreeMap<&str, Vec<Token>> = BTreeMap::new();
    let mut first = None;
    let mut rest = printed;
    while let Some(at) = start_of_file(rest) {
        let (head, body) = rest[at + FILE.len()..]
            .split_once('\n')
            .unwrap_or((&rest[at + FILE.len()..], ""));
        let path = head.trim_end().trim_end_matches(':');
        let end = start_of_file(body).unwrap_or(body.len());
        files.insert(path, tokens(&body[..end]));
        first = first.or(Some(path));
        rest = &body[end..];
    }
    let first = first.ok_or_else(|| format!("no line that begins with `{FILE}`"))?;
    let mut root = Block::default();
    fill(&mut root, first, &files, 0)?;
    Ok(root)
}

fn start_of_file(text: &str) -> Option<usize> {
    if text.starts_with(FILE) {
        return Some(0);
    }
    text.find(&format!("\n{FILE}")).map(|at| at + 1)
}

/// Puts what a file says into a block.
fn fill(
    block: &mut Block,
    path: &str,
    files: &BTreeMap<&str, Vec<Token>>,
    depth: usize,
) -> Result<(), String> {
    let Some(tokens) = files.get(path).filter(|_| depth < DEEPEST) else {
        return Err(format!("an include of {path}, but not that file"));
    };
    let mut rest = tokens.as_slice();
    statements(block, &mut rest, files, depth)?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err(format!("{path} with a brace that nothing opens"))
    }
}

/// Reads up to the brace that closes the block, or to the end.
fn statements(
    block: &mut Block,
    rest: &mut &[Token],
    files: &BTreeMap<&str, Vec<Token>>,
    depth: usize,
) -> Result<(), String> {
    let mut words = Vec::new();
    while let Some((token, after)) = rest.split_first() {
        match token {
            Token::Word(word) => words.push(word.clone()),
            Token::End => directive(block, std::mem::take(&mut words), files, depth)?,
            Token::Open => {
                let mut inner = Block {
                    name: words.join(" "),
                    ..Block::default()
                };
                words.clear();
                *rest = after;
                statements(&mut inner, rest, files, depth)?;
                let Some((Token::Close, after)) = rest.split_first() else {
                    return Err(format!("`{}` without its end", inner.name));
                };
                *rest = after;
                block.blocks.push(inner);
                continue;
            }
            Token::Close => return Ok(()),
        }
        *rest = after;
    }
    Ok(())
}

fn directive(
    block: &mut Block,
    words: Vec<String>,
    files: &BTreeMap<&str, Vec<Token>>,
    depth: usize,
) -> Result<(), String> {
    match words.as_slice() {
        [name, pattern] if name == "include" => {
            let mut found = files.keys().filter(|path| fits(pattern, path)).peekable();
            // A pattern may fit nothing; a name must be there, or nginx had not printed anything.
            if found.peek().is_none() && !pattern.contains('*') {
                return Err(format!("an include of {pattern}, but not that file"));
            }
            found.try_for_each(|path| fill(block, path, files, depth + 1))
        }
        _ => {
            block.directives.push(words);
            Ok(())
        }
    }
}

/// Whether a file is meant by an `include`: `*` is any part of a name; what is relative begins
/// wherever nginx was told.
fn fits(pattern: &str, path: &str) -> bool {
    let relative = !pattern.starts_with('/');
    let mut wanted = pattern.rsplit('/');
    let mut given = path.rsplit('/');
    loop {
        match (wanted.next(), given.next()) {
            (Some(wanted), Some(given)) if name_fits(wanted, given) => {}
            (None, None) => return true,
            (None, Some(_)) => return relative,
            _ => return false,
        }
    }
}

fn name_fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((begin, end)) => {
            name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&next) = chars.peek() {
        match next {
            '{' | '}' | ';' => {
                chars.next();
                tokens.push(match next {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                });
            }
            '#' => while chars.next_if(|&c| c != '\n').is_some() {},
            '"' | '\'' => {
                chars.next();
                tokens.push(Token::Word(quoted(&mut chars, next)));
            }
            _ if next.is_whitespace() => {
                chars.next();
            }
            _ => tokens.push(Token::Word(bare(&mut chars))),
        }
    }
    tokens
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Up to the quote that it began with.
fn quoted(chars: &mut Chars<'_>, quote: char) -> String {
    let mut word = String::new();
    while let Some(next) = chars.next().filter(|&next| next != quote) {
        word.push(next);
        if next == '\\' {
            word.extend(chars.next());
        }
    }
    word
}

/// Up to a blank, a brace or a semicolon; the braces of `${name}` are part of it.
fn bare(chars: &mut Chars<'_>) -> String {
    let mut word = String::new();
    let mut in_variable = false;
    while let Some(&next) = chars.peek() {
        let opens = next == '{' && word.ends_with('$');
        if next.is_whitespace()
            || next == ';'
            || (matches!(next, '{' | '}') && !opens && !in_variable)
        {
            break;
        }
        in_variable = opens || (in_variable && next != '}');
        word.push(next);
        chars.next();
        if next == '\\' {
            word.extend(chars.next());
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_where_they_are_included() {
        let root = read(
            "# configuration file /etc/nginx/nginx.conf:
include /etc/nginx/modules/*.conf; # none
http {
    include proxy.conf;
    map $x $y { \"~^{2}\" a\\;b; default ''; }
    server { location ~ \"\\.[a-z]{1,4}$\" { proxy_pass http://${name}_x; } }
}
# configuration file /etc/nginx/proxy.conf:
# of a proxy
proxy_next_upstream error
    timeout;
",
        )
        .unwrap();
        let http = &root.blocks[0];
        assert_eq!(http.name, "http");
        assert_eq!(
            http.last("proxy_next_upstream"),
            Some(&["error".to_owned(), "timeout".to_owned()][..])
        );
        assert_eq!(
            http.blocks[0].last("~^{2}"),
            Some(&["a\\;b".to_owned()][..])
        );
        let location = &http.blocks[1].blocks[0];
        assert_eq!(location.name, "location ~ \\.[a-z]{1,4}$");
        assert_eq!(
            location.last("proxy_pass"),
            Some(&["http://${name}_x".to_owned()][..])
        );
        assert_eq!(location.last("proxy_next_upstream"), None);
    }

    #[test]
    fn what_answers_a_path_is_the_place_that_fits_best_and_what_is_not_said_there_is_said_outside()
    {
        let root = read(
            "# configuration file /n:
http { limit 1; server { listen 1;
    location / { a; }
    location ^~ /api/ { limit 2; }
    location = /api/health { limit 3; }
    location ~ \\.png$ { limit 4; }
    location @named { limit 5; } }
  server { location /generation { limit 6; } } }",
        )
        .unwrap();
        for (path, said) in [
            ("/", "1"),
            ("/entities?x=/api/", "1"),
            ("/api/x", "2"),
            ("/api/health", "3"),
            ("/generation", "6"),
        ] {
            let said = [said.to_owned()];
            assert_eq!(
                nearest(&way(&root, path), "limit"),
                Some(&said[..]),
                "{path}"
            );
        }
        assert_eq!(nearest(&way(&root, "/"), "other"), None);
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for (text, named) in [
            ("", "no line"),
            (
                "# configuration file /n:\nhttp { server {",
                "without its end",
            ),
            ("# configuration file /n:\n}", "nothing opens"),
            ("# configuration file /n:\ninclude /m;", "an include of /m"),
            ("# configuration file /n:\ninclude /n;", "an include of /n"),
        ] {
            let cause = read(text).unwrap_err();
            assert!(cause.contains(named), "{cause}");
        }
    }
}
