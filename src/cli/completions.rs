//! `completions`: a script for the shell.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{exit::Exit, output::Printer};

/// Print a completion script: `sysndd-deploy completions bash > /etc/bash_completion.d/sysndd-deploy`.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, printer: Printer) -> Exit {
        let mut script = Vec::new();
        generate(
            self.shell,
            &mut super::Cli::command(),
            "sysndd-deploy",
            &mut script,
        );
        printer.text(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}
