//! A board of what is going on: one line per thing, redrawn on a terminal, a plain line per change
//! elsewhere.

use std::{collections::BTreeMap, time::Duration};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;

/// Lines by name.
pub(crate) struct Board {
    printer: Printer,
    lines: MultiProgress,
    bars: BTreeMap<String, ProgressBar>,
}

impl Board {
    pub(crate) fn new(printer: Printer) -> Self {
        let target = if printer.is_live() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            printer,
            lines: MultiProgress::with_draw_target(target),
            bars: BTreeMap::new(),
        }
    }

    /// The line of `name` now says `state`.
    pub(crate) fn set(&mut self, name: &str, state: &str) {
        if self.printer.is_live() {
            self.bar(name).set_message(state.to_owned());
        } else {
            self.printer.say(format!("{name}: {state}"));
        }
    }

    /// A passing detail: shown where lines are redrawn, left out where each would stay.
    pub(crate) fn detail(&mut self, name: &str, text: &str) {
        if self.printer.is_live() {
            self.bar(name).set_message(text.to_owned());
        }
    }

    /// A line that stays: what `name` printed.
    pub(crate) fn line(&mut self, name: &str, text: &str) {
        let line = format!("{name} | {text}");
        if self.printer.is_live() {
            // A terminal that is gone is no reason to stop.
            let _ = self.lines.println(line);
        } else {
            self.printer.say(line);
        }
    }

    /// The line of `name` ends well.
    pub(crate) fn done(&mut self, name: &str, state: &str) {
        if self.printer.is_live() {
            let bar = self.bar(name);
            bar.set_style(plain());
            bar.finish_with_message(format!("{} {state}", style("✓").green().for_stderr()));
        } else {
            self.printer.say(format!("{name}: {state}"));
        }
    }

    /// The line of `name` ends badly.
    pub(crate) fn failed(&mut self, name: &str, state: &str) {
        if self.printer.is_live() {
            let bar = self.bar(name);
            bar.set_style(plain());
            bar.finish_with_message(format!("{} {state}", style("✗").red().for_stderr()));
        } else {
            self.printer.say(format!("{name}: {state}"));
        }
    }

    /// Takes spinners away, so that text can follow.
    pub(crate) fn close(&mut self) {
        for bar in self.bars.values().filter(|bar| !bar.is_finished()) {
            bar.set_style(plain());
            bar.abandon();
        }
        self.bars.clear();
    }

    fn bar(&mut self, name: &str) -> ProgressBar {
        self.bars
            .entry(name.to_owned())
            .or_insert_with(|| {
                let bar = self.lines.add(ProgressBar::new_spinner());
                bar.set_style(spinner());
                bar.set_prefix(name.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
                bar
            })
            .clone()
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<40} {spinner} {msg}")
        .unwrap_or_else(|error| unreachable!("a constant template: {error}"))
}

fn plain() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<40} {msg}")
        .unwrap_or_else(|error| unreachable!("a constant template: {error}"))
}
