//! Walking over the words of a statement.

use crate::lex::Token;

/// A table's name, with its qualifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Self {
        Self { tokens }
    }

    pub(super) fn rest(&self) -> &'a [Token] {
        self.tokens
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.tokens.first().is_some_and(|token| token.is(word))
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    /// Takes all the words or none.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let found = self.tokens.len() >= words.len()
            && words
                .iter()
                .zip(self.tokens)
                .all(|(word, token)| token.is(word));
        if found {
            self.tokens = &self.tokens[words.len()..];
        }
        found
    }

    pub(super) fn take_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(word))
    }

    pub(super) fn mark(&mut self, mark: u8) -> bool {
        let found = self.tokens.first() == Some(&Token::Mark(mark));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let name = self.tokens.first()?.name()?.to_owned();
        self.tokens = &self.tokens[1..];
        Some(name)
    }

    /// A name or a string, in lower case: the value of an option.
    pub(super) fn value(&mut self) -> Option<String> {
        self.mark(b'=');
        let (Token::Word(value) | Token::Name(value) | Token::Text(value)) = self.next()? else {
            return None;
        };
        Some(value.to_ascii_lowercase())
    }

    pub(super) fn table(&mut self) -> Option<TableName> {
        let first = self.name()?;
        if !self.mark(b'.') {
            return Some(TableName {
                schema: None,
                name: first,
            });
        }
        Some(TableName {
            schema: Some(first),
            name: self.name()?,
        })
    }

    /// What stands in the brackets that open here, without them.
    pub(super) fn parens(&mut self) -> Option<&'a [Token]> {
        if self.tokens.first() != Some(&Token::Mark(b'(')) {
            return None;
        }
        let mut depth = 0usize;
        for (at, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = &self.tokens[1..at];
                self.tokens = &self.tokens[at + 1..];
                return Some(inner);
            }
        }
        None
    }

    /// Cuts at the commas outside brackets.
    pub(super) fn list(tokens: &'a [Token]) -> Vec<&'a [Token]> {
        let mut depth = 0usize;
        tokens
            .split(|token| {
                match token {
                    Token::Mark(b'(') => depth += 1,
                    Token::Mark(b')') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && *token == Token::Mark(b',')
            })
            .collect()
    }

    /// The names of a list of columns, without lengths and directions.
    pub(super) fn names(tokens: &'a [Token]) -> Vec<String> {
        Self::list(tokens)
            .into_iter()
            .filter_map(|part| Cursor::new(part).name())
            .collect()
    }
}

impl TableName {
    /// The name that the tokens begin with.
    pub(crate) fn at(tokens: &[Token]) -> Option<Self> {
        Cursor::new(tokens).table()
    }
}
