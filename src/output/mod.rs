//! All that is printed goes through here: data to stdout, everything else to stderr.

mod progress;
mod table;

use std::io::{IsTerminal as _, Write as _};

use console::Style;
use serde::Serialize;

pub(crate) use progress::Board;
pub(crate) use table::Table;

use crate::error::Error;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    #[value(alias = "text")]
    Human,
    /// Exactly one JSON document on stdout; streams print one a line.
    Json,
}

/// The one gate to the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: Format,
    /// Whether lines on stderr may be redrawn.
    live: bool,
}

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            live: std::io::stderr().is_terminal()
                && console::Term::stderr().features().is_attended(),
        }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    pub(crate) fn is_live(self) -> bool {
        self.live
    }

    /// The answer: `json` or `human`, by the format that was asked for.
    pub(crate) fn data(self, json: &impl Serialize, human: impl FnOnce() -> String) {
        match self.format {
            Format::Json => self.json_line(json),
            Format::Human => self.text(&human()),
        }
    }

    /// One JSON document on one line.
    pub(crate) fn json_line(self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.text(&(text + "\n")),
            Err(error) => self.error(&Error::deploy(format!(
                "the answer cannot be written as JSON: {error}"
            ))),
        }
    }

    /// Text on stdout, as it is.
    pub(crate) fn text(self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// What a command in a container printed, as it is. A reader that went away (`| head`)
    /// ends the program quietly.
    #[expect(clippy::unused_self, reason = "the printer is the permission to print")]
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        if stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }

    /// What it printed on its stderr.
    #[expect(clippy::unused_self, reason = "the printer is the permission to print")]
    pub(crate) fn error_bytes(self, bytes: &[u8]) {
        // Nothing can be done about a stderr that is gone.
        let _ = std::io::stderr().lock().write_all(bytes);
    }

    /// What is going on: a line on stderr.
    #[expect(clippy::unused_self, reason = "the printer is the permission to print")]
    pub(crate) fn say(self, line: impl AsRef<str>) {
        // Nothing can be done about a stderr that is gone.
        let _ = writeln!(std::io::stderr().lock(), "{}", line.as_ref());
    }

    pub(crate) fn note(self, line: impl AsRef<str>) {
        self.say(format!(
            "{} {}",
            Style::new().cyan().for_stderr().apply_to("note:"),
            line.as_ref()
        ));
    }

    pub(crate) fn hint(self, line: impl AsRef<str>) {
        self.say(format!(
            "{} {}",
            Style::new().cyan().for_stderr().apply_to("hint:"),
            line.as_ref()
        ));
    }

    pub(crate) fn error(self, error: &Error) {
        self.say(format!(
            "{} {}",
            Style::new().red().bold().for_stderr().apply_to("error:"),
            error.message
        ));
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }
}

/// `512 kB`, `12 MB`.
pub(crate) fn human_size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{} kB", bytes.div_ceil(1000))
    } else {
        format!("{} MB", bytes / 1_000_000)
    }
}

/// `0.8 s`, `41 s`, `3 min 5 s`: precise where it matters.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!(
            "{} min {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        )
    }
}
