//! Where the values of variables come from: the process's environment, then `.env`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fmt, io,
    path::PathBuf,
};

use super::{
    dotenv::Entry,
    origin::Recorded,
    secrets::{is_secret_name, url_passwords},
};

/// What surrounds a reading of the file: everything it takes from the process.
#[derive(Clone)]
pub(crate) struct Environment {
    /// The process's environment; it wins over `.env`.
    pub(crate) variables: BTreeMap<String, String>,
    /// Who `uid = "host"` and `gid = "host"` mean.
    pub(crate) caller: Caller,
    /// Working directory: paths below it are shown without it.
    pub(crate) directory: PathBuf,
}

/// A user and a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Environment {
    /// That of this process. Variables that are not UTF-8 are left out.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub(crate) fn of_process() -> io::Result<Self> {
        Ok(Self {
            variables: env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            caller: Caller {
                uid: rustix::process::getuid().as_raw(),
                gid: rustix::process::getgid().as_raw(),
            },
            directory: env::current_dir()?,
        })
    }
}

/// Without the values of variables.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("caller", &self.caller)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Variables by name, each with whether it is a secret.
pub(super) struct Variables {
    by_name: BTreeMap<String, Variable>,
    listed: Vec<String>,
    /// What was asked for, set or not.
    asked: RefCell<BTreeSet<String>>,
}

pub(super) struct Variable {
    pub(super) value: String,
    pub(super) secret: bool,
}

impl Variables {
    /// The environment over `.env`; `listed` are the names under `[secrets]`.
    pub(super) fn new(environment: &Environment, dotenv: &[Entry], listed: Vec<String>) -> Self {
        let mut variables = Self {
            by_name: BTreeMap::new(),
            listed,
            asked: RefCell::default(),
        };
        for (name, value) in &environment.variables {
            variables.insert(name, value, &[]);
        }
        for entry in dotenv {
            if !environment.variables.contains_key(&entry.name) {
                variables.insert(&entry.name, &entry.value, &entry.references);
            }
        }
        variables
    }

    /// What an earlier reading was given: its recorded values, its secrets as they are now.
    pub(super) fn replayed(
        recorded: &BTreeMap<String, Recorded>,
        now: &Self,
        listed: Vec<String>,
    ) -> Self {
        let variable = |(name, recorded): (&String, &Recorded)| {
            let (value, secret) = match recorded {
                Recorded::Value(value) => (value.clone(), false),
                Recorded::Secret => (now.by_name.get(name)?.value.clone(), true),
                Recorded::Unset => return None,
            };
            Some((name.clone(), Variable { value, secret }))
        };
        Self {
            by_name: recorded.iter().filter_map(variable).collect(),
            listed,
            asked: RefCell::default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.by_name.get(name)
    }

    /// Every variable that was asked for, secrets by their names alone.
    pub(super) fn recorded(&self) -> BTreeMap<String, Recorded> {
        let record = |name: &String| {
            let recorded = match self.by_name.get(name) {
                None => Recorded::Unset,
                Some(_) if self.is_secret(name) => Recorded::Secret,
                Some(variable) => Recorded::Value(variable.value.clone()),
            };
            (name.clone(), recorded)
        };
        self.asked.borrow().iter().map(record).collect()
    }

    /// Whether a variable of this name is a secret, set or not.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        is_secret_name(name)
            || self.listed.iter().any(|listed| listed == name)
            || self
                .by_name
                .get(name)
                .is_some_and(|variable| variable.secret)
    }

    /// What is made from a secret is one.
    fn insert(&mut self, name: &str, value: &str, made_from: &[String]) {
        let secret = self.is_secret(name)
            || made_from.iter().any(|source| self.is_secret(source))
            || !url_passwords(value).is_empty();
        self.by_name.insert(
            name.to_owned(),
            Variable {
                value: value.to_owned(),
                secret,
            },
        );
    }
}
