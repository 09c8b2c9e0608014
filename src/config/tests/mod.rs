//! The reading of whole files. Nothing here touches a disk but [`disk`].

mod disk;
mod faults;
mod hostile;
mod owners;
mod schema;
mod shipped;
mod show;

use std::path::Path;

use super::{environment::Caller, *};

/// The file that the project ships.
const SHIPPED: &str = include_str!("../../../sysndd.toml");

/// What the shipped file needs, and an address that is one.
const SECRETS: [(&str, &str); 4] = [
    ("DB_PASSWORD", "hunter2"),
    ("DB_ROOT_PASSWORD", "correct-horse"),
    ("SECRET_KEY", "battery-staple"),
    ("DEPLOY_WEBHOOK", "https://chat.example.org/hunter2"),
];

/// An environment of these variables alone.
fn environment<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    Environment {
        variables: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        caller: Caller {
            uid: 4242,
            gid: 4343,
        },
        directory: PathBuf::from("/stack"),
    }
}

/// Every file is there; `missing` in a path is not, and `wrong` is the wrong kind of thing.
fn look(path: &Path) -> Found {
    let name = path.to_string_lossy();
    let is_file = name.contains("Dockerfile") || name.contains(".tera");
    match (name.contains("missing"), is_file != name.contains("wrong")) {
        (true, _) => Found::Nothing,
        (false, true) => Found::File,
        (false, false) => Found::Directory,
    }
}

/// A file and perhaps a `.env` beside it.
fn inputs(text: &str, dotenv: Option<&str>) -> Inputs {
    Inputs {
        path: PathBuf::from("/stack/sysndd.toml"),
        file: Source::new(FILE_NAME, text),
        dotenv: dotenv.map(|text| Source::private(".env", text)),
    }
}

/// Reads a file in an environment.
fn read_in(text: &str, environment: &Environment) -> Result<Stack, ConfigErrors> {
    read(&inputs(text, None), environment, look)
}

/// A stack of a file that is right.
fn stack(text: &str) -> Stack {
    read_in(text, &environment(SECRETS)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is said about a file that is wrong.
fn faults(text: &str) -> ConfigErrors {
    read_in(text, &environment(SECRETS)).expect_err("the file should be refused")
}
