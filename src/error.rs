//! The one error that commands end with: what to print, what to type next, how to exit.
//!
//! Expected errors (the user's or the world's fault) are made here from the modules' own error
//! types. A bug panics instead.

use std::fmt;

use crate::{
    config::ConfigErrors,
    database::AccessError,
    docker::EngineError,
    exit::Exit,
    host::EngineSetupError,
    release::{LockError, StoreError, TurnError},
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

impl Error {
    /// Adds a line to the message.
    pub(crate) fn with_more(mut self, line: impl fmt::Display) -> Self {
        self.message = format!("{}\n{line}", self.message);
        self
    }

    /// A hint for those that have none.
    pub(crate) fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
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
        let exit = match error {
            EngineError::Context { .. } => Exit::Usage,
            ref error if error.is_unreachable() => Exit::EngineUnreachable,
            _ => Exit::DeployFailed,
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
        match error {
            EngineSetupError::NotToldWhich(error) => error.into(),
            EngineSetupError::ChosenElsewhere(ref cause, _) => Self {
                hint: cause.hint(),
                ..Self::new(Exit::EngineUnreachable, error.to_string())
            },
            error => Self::new(Exit::EngineUnreachable, error.to_string()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        match error {
            StoreError::Engine(error) => error.into(),
            other => Self {
                hint,
                ..Self::deploy(other.to_string())
            },
        }
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Engine(error) => error.into(),
            LockError::Held { .. } => Self::new(Exit::LockHeld, error.to_string()).with_hint(
                "wait until it is done; if its process hangs: `sysndd-deploy lock release --force --reason …`",
            ),
            LockError::Foreign(ref name) => {
                let hint = format!("choose another project name, or remove it: docker rm {name}");
                Self::deploy(error.to_string()).with_hint(hint)
            }
            LockError::Silent(_) => Self::deploy(error.to_string())
                .with_hint("its image needs a shell, and `bash` or `timeout`: the first of [bases] is taken"),
        }
    }
}

impl From<TurnError> for Error {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Lock(error) => error.into(),
            TurnError::Store(error) => error.into(),
            TurnError::Journal(_) | TurnError::Tls(_) => Self::deploy(error.to_string()),
        }
    }
}
