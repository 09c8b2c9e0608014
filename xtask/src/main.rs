//! Developer tasks: `cargo xtask test | bench | drill`.
//!
//! Everything a task needs is set up by the project's own program (`sysndd-deploy`), from nothing.

mod bench;
mod browser;
mod command;
mod compose;
mod debian;
mod deploy;
mod drill;
mod engine;
mod load;
mod schemathesis;
mod stack;
mod stack_file;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up what tests need, then run every one of them
    Test(test::Test),
    /// Measure against peers, as ratios
    Bench(bench::Bench),
    /// Repeat a fault or a start many times
    Drill(drill::Drill),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Test(task) => task.run(),
        Task::Bench(task) => task.run(),
        Task::Drill(task) => task.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
