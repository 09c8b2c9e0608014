//! What is wrong with the configuration, where, and what to do about it.
//!
//! A [`Fault`] knows its place in a [`Source`]; [`ConfigErrors`] shows all of them at once, in the
//! order of the file. It reads nothing and prints nothing.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// A file that was read, kept for showing its lines.
pub(crate) struct Source {
    /// As the reader of a message would name it.
    name: String,
    text: String,
    /// Whether values must stay out of messages, as in `.env`.
    private: bool,
}

/// Without the text, which may hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

impl Source {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            private: false,
        })
    }

    /// A source of which only the names of variables are ever shown.
    pub(super) fn private(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            private: true,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both counted from 1, the column in characters.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let start = self.line_start(byte);
        let line = self.text[..start].matches('\n').count() + 1;
        (line, self.text[start..self.floor(byte)].chars().count() + 1)
    }

    fn line_start(&self, byte: usize) -> usize {
        self.text[..self.floor(byte)]
            .rfind('\n')
            .map_or(0, |newline| newline + 1)
    }

    /// The nearest character boundary at or before a byte.
    fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }

    /// The line of a span and a second one that underlines it; a span of several lines is
    /// underlined on its first.
    fn excerpt(&self, span: &Range<usize>) -> (String, String) {
        let start = self.line_start(span.start);
        let line = self.text[start..].lines().next().unwrap_or_default();
        let shown = match line.split_once(['=', ':']) {
            _ if !self.private => line.to_owned(),
            Some((name, _)) if is_variable(name) => format!("{name}=…"),
            Some(_) | None => "…".to_owned(),
        };
        if self.private && shown.starts_with('…') {
            return (shown, "^".to_owned());
        }
        let from = (self.floor(span.start) - start).min(shown.len());
        let to = (self.floor(span.end).saturating_sub(start)).min(shown.len());
        let (before, under) = match (shown.get(..from), shown.get(from..to.max(from))) {
            (Some(before), Some(under)) => (before, under),
            _ => (shown.as_str(), ""),
        };
        // A tab stays a tab, so that the underline stands below its text however wide tabs are.
        let pad: String = before
            .chars()
            .map(|c| {
                if c == '\t' {
                    "\t".to_owned()
                } else {
                    " ".repeat(width(c))
                }
            })
            .collect();
        let carets = under.trim_end().chars().map(width).sum::<usize>().max(1);
        let underline = pad + &"^".repeat(carets);
        (shown, underline)
    }
}

/// Whether what stands before a `=` is a variable's name, and not a piece of a secret.
fn is_variable(text: &str) -> bool {
    let name = text.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Columns a character takes on a terminal.
fn width(c: char) -> usize {
    console::measure_text_width(c.encode_utf8(&mut [0; 4]))
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    place: Location,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone)]
enum Location {
    /// Bytes of a source.
    Span(Arc<Source>, Range<usize>),
    /// A file as a whole: it is missing or unreadable.
    File(PathBuf),
}

impl Fault {
    pub(super) fn new(
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            place: Location::Span(Arc::clone(source), span),
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn of_file(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            place: Location::File(path.into()),
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Name of the file.
    fn file(&self) -> String {
        match &self.place {
            Location::Span(source, _) => source.name.clone(),
            Location::File(path) => path.display().to_string(),
        }
    }

    /// Line and column, both counted from 1; `None` when the whole file is meant.
    pub(super) fn position(&self) -> Option<(usize, usize)> {
        match &self.place {
            Location::Span(source, span) => Some(source.position(span.start)),
            Location::File(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Location::Span(source, span) => {
                let (line, column) = source.position(span.start);
                writeln!(
                    f,
                    "{}:{line}:{column}: error: {}",
                    source.name, self.message
                )?;
                let (text, underline) = source.excerpt(span);
                let gutter = line.to_string().len();
                writeln!(f, "  {line} | {text}")?;
                writeln!(f, "  {:gutter$} | {underline}", "")?;
            }
            Location::File(path) => writeln!(f, "{}: error: {}", path.display(), self.message)?,
        }
        match &self.hint {
            Some(hint) => writeln!(f, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.position();
        let mut out = serializer.serialize_struct("Fault", 5)?;
        out.serialize_field("file", &self.file())?;
        out.serialize_field("line", &position.map(|(line, _)| line))?;
        out.serialize_field("column", &position.map(|(_, column)| column))?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("hint", &self.hint)?;
        out.end()
    }
}

/// Every fault of one reading, in the order of the file. Never empty. Serialized as their list.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ConfigErrors {
    faults: Vec<Fault>,
}

impl ConfigErrors {
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| match &fault.place {
            Location::File(path) => (0, path.display().to_string(), 0),
            Location::Span(source, span) => (1, source.name.clone(), span.start),
        });
        Self { faults }
    }

    /// These faults and others.
    pub(super) fn and(self, others: Vec<Fault>) -> Self {
        Self::new([self.faults, others].concat())
    }

    /// The faults, in the order of the file.
    #[cfg(test)]
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl From<Fault> for ConfigErrors {
    fn from(fault: Fault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        match self.faults.len() {
            1 => write!(f, "1 error in the configuration; nothing was touched"),
            count => write!(
                f,
                "{count} errors in the configuration; nothing was touched"
            ),
        }
    }
}

impl std::error::Error for ConfigErrors {}
