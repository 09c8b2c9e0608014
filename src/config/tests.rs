use std::collections::BTreeMap;

use super::*;

const SHIPPED: &str = include_str!("../../sysndd.toml");

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment {
        variables: variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        caller: Caller {
            uid: 4242,
            gid: 4343,
        },
        directory: PathBuf::from("/stack"),
    }
}

/// Everything that a file can name is there.
fn all_there(path: &Path) -> Found {
    if path.extension().is_some() {
        Found::File
    } else {
        Found::Directory
    }
}

#[test]
fn the_shipped_file_loads() {
    let source = Source::new("sysndd.toml", SHIPPED);
    let env = environment(&[
        ("DB_PASSWORD", "hunter2"),
        ("DB_ROOT_PASSWORD", "correct-horse"),
    ]);
    let look = |path: &Path| {
        if path.to_string_lossy().contains("Dockerfile") {
            Found::File
        } else {
            all_there(path)
        }
    };
    match read(&source, None, Path::new("/stack/sysndd.toml"), &env, look) {
        Ok(stack) => insta::assert_json_snapshot!(stack),
        Err(errors) => panic!("{errors}"),
    }
}
