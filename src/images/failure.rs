//! A failed build, told so that the reason is seen without building again.

use std::{fmt, path::PathBuf};

use super::{dockerfile::Dockerfile, progress::FailedStep};

/// A build that BuildKit gave up.
#[derive(Debug)]
pub(crate) struct FailedBuild {
    /// Of what.
    pub(crate) what: String,
    pub(crate) dockerfile: PathBuf,
    /// In the Dockerfile, counted from 1.
    pub(crate) line: Option<usize>,
    pub(crate) step: Option<FailedStep>,
    /// BuildKit's own words.
    pub(crate) message: String,
}

impl fmt::Display for FailedBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "building {} failed at {}",
            self.what,
            self.dockerfile.display()
        )?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(step) = &self.step {
            write!(f, "\n  step {}", step.name)?;
            for line in &step.log {
                write!(f, "\n  | {line}")?;
            }
        }
        write!(f, "\n  {}", self.message.trim().replace('\n', "\n  "))
    }
}

/// The step tells where it stands; a file that could not be parsed has no steps, but its error
/// names the line.
pub(super) fn line_of(
    dockerfile: &Dockerfile,
    step: Option<&FailedStep>,
    message: &str,
) -> Option<usize> {
    let of_step = step.and_then(|step| dockerfile.line_of(&step.name));
    of_step.or_else(|| {
        let (_, after) = message.split_once("parse error")?;
        let (_, number) = after.split_once("line ")?;
        number
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    })
}
