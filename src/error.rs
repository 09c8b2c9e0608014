//! The one error that commands end with: what to print, what to type next, how to exit.
//!
//! Expected errors (the user's or the world's fault) are made here from the modules' own error
//! types. A bug panics instead.

use std::fmt;

use crate::{
    config::ConfigErrors, database::AccessError, docker::EngineError, exit::Exit,
    host::EngineSetupError,
};

/// A failed command.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Error {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something that a deployment needs did not work.
    pub(crate) fn deploy(message: impl Into<String>) -> Self {
        Self::new(Exit::DeployFailed, message)
    }

    /// An image could not be had: nothing that runs was touched.
    pub(crate) fn image(error: impl fmt::Display) -> Self {
        Self::deploy(error.to_string())
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let exit = if error.is_unreachable() {
            Exit::EngineUnreachable
        } else {
            Exit::DeployFailed
        };
        Self {
            exit,
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::deploy(error.to_string())
    }
}

impl From<ConfigErrors> for Error {
    fn from(errors: ConfigErrors) -> Self {
        Self::usage(errors.to_string())
    }
}

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Engine(error) => error.into(),
            other => Self {
                exit: Exit::CheckFailed,
                hint: other.hint(),
                message: other.to_string(),
            },
        }
    }
}

impl From<EngineSetupError> for Error {
    fn from(error: EngineSetupError) -> Self {
        Self::new(Exit::EngineUnreachable, error.to_string())
    }
}
