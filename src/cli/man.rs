//! `man`: manual pages, made from the same descriptions as `--help`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use crate::{error::Error, exit::Exit, output::Printer};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy man ~/.local/share/man/man1     then: man sysndd-deploy-up
  sysndd-deploy man | man -l -                  the page of the program alone";

/// Write manual pages: one of the program and one of each command.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// Where to; made when it is missing. Without it the page of the program is printed
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, printer: Printer) -> Result<Exit, Error> {
        let program = super::Cli::command();
        let Some(directory) = self.directory else {
            let mut page = Vec::new();
            Page::new(program).render(&mut page)?;
            printer.bytes(&page);
            return Ok(Exit::Done);
        };
        let path = directory.display();
        write(program, &directory).map_err(|error| {
            Error::usage(format!("manual pages cannot be written to {path}: {error}"))
                .with_hint("name a directory that you may write to")
        })?;
        printer.say(format!("manual pages are in {path}"));
        Ok(Exit::Done)
    }
}

/// One page of the program, one of each command below it.
fn write(program: clap::Command, directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(program, directory)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("man1");
        super::write(crate::cli::Cli::command(), &below).unwrap();
        let read = |name: &str| std::fs::read_to_string(below.join(name)).unwrap();
        assert!(read("sysndd-deploy.1").contains("sysndd\\-deploy\\-up(1)"));
        let on = read("sysndd-deploy-maintenance-on.1");
        assert!(on.contains("retry\\-after"), "{on}");
        assert!(on.contains(".SH SYNOPSIS"), "{on}");
    }
}
