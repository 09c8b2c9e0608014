//! The reading of whole files. Nothing here touches a disk but [`disk`].

mod disk;
mod faults;
mod hostile;
mod owners;
mod profiles;
mod schema;
mod shipped;
mod show;

use std::path::Path;

use super::{environment::Caller, *};

/// The file that the project ships.
const SHIPPED: &str = include_str!("../../../sysndd.toml");

/// What the shipped file needs, and an address that is one.
const SECRETS: [(&str, &str); 5] = [
    ("DB_PASSWORD", "hunter2"),
    ("DB_RESTORE_PASSWORD", "staple-battery"),
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

#[test]
fn a_number_or_text_may_come_from_a_variable() {
    let service = |keys: &str, variables: [(&str, &str); 1]| {
        let text = format!("project = \"p\"\n[services.a]\nimage = \"a\"\n{keys}\n");
        let stack = read_in(&text, &environment(variables)).unwrap_or_else(|e| panic!("{e}"));
        stack.services[&ServiceName::new("a")].clone()
    };
    let memory = |text: &str, variable| {
        let keys = format!("resources = {{ memory = \"{text}\" }}");
        service(&keys, variable).resources.memory
    };
    let unset = ("OTHER", "");
    assert_eq!(memory("${MEMORY:-256m}", [unset]), Some(256 << 20));
    assert_eq!(memory("${MEMORY:-256m}", [("MEMORY", "2g")]), Some(2 << 30));
    assert_eq!(
        memory("${MEMORY:-1}", [("MEMORY", "1048576")]),
        Some(1 << 20)
    );
    assert_eq!(memory("${MEMORY}m", [("MEMORY", "3")]), Some(3 << 20));
    let user = |text: &str| service(&format!("user = \"{text}\""), [unset]).user;
    assert_eq!(user("${WHO:-7}").as_deref(), Some("7"));
    assert_eq!(user("${WHO:-www}:8").as_deref(), Some("www:8"));
    let wrong = "project = \"p\"\n[services.a]\nimage = \"a\"\nresources = { memory = \"${X:-256 megs}\" }\n";
    let said = faults(wrong).to_string();
    assert!(
        said.contains("sysndd.toml:4:24: error: `256 megs` is not a size"),
        "{said}"
    );
}
