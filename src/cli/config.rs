//! `config`: check and show `sysndd.toml` without touching an engine.

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Global, session};
use crate::{config, error::Error, exit::Exit, output::Printer};

/// Check or show sysndd.toml; no engine is asked and nothing is touched.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Report every fault, with file, line and column
    Check,
    /// Print the stack with variables resolved and secrets masked
    Show,
    /// Print a JSON Schema of the file, for editors
    Schema,
}

#[derive(Serialize)]
struct Faults<'a> {
    schema: &'static str,
    faults: &'a config::ConfigErrors,
}

impl Config {
    pub(super) fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        match self.command {
            Subcommands::Check => check(global, printer),
            Subcommands::Show => {
                let stack = session::load(global)?;
                printer.data(&stack, || config::show(&stack));
                Ok(Exit::Done)
            }
            Subcommands::Schema => {
                let schema = config::schema();
                printer.data(&schema, || format!("{schema:#}\n"));
                Ok(Exit::Done)
            }
        }
    }
}

fn check(global: &Global, printer: Printer) -> Result<Exit, Error> {
    let result = session::read(global)?;
    match result {
        Ok(stack) => {
            printer.data(
                &json!({ "schema": "sysndd-deploy/config-check/1", "faults": [] }),
                || format!("{} services, no fault\n", stack.services.len()),
            );
            Ok(Exit::Done)
        }
        Err(errors) if printer.is_json() => {
            printer.json_line(&Faults {
                schema: "sysndd-deploy/config-check/1",
                faults: &errors,
            });
            Ok(Exit::Usage)
        }
        Err(errors) => Err(errors.into()),
    }
}
