//! A plan as people read it.

use std::fmt;

use super::{Plan, Start};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "database {} on {}", self.database, self.server.version)?;
        for problem in &self.problems {
            writeln!(f, "refused: {problem}")?;
        }
        for file in &self.files {
            writeln!(f, "{}  {}", file.name, file.description)?;
            if let Start::InDoubt {
                reason, commands, ..
            } = &file.start
            {
                writeln!(
                    f,
                    "  in doubt: {reason}; decide with {}",
                    commands.join(" or ")
                )?;
            }
            for statement in &file.statements {
                writeln!(f, "  {}. {}", statement.number, statement.text)?;
            }
        }
        Ok(())
    }
}
