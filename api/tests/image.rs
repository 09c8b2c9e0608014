//! `Dockerfile.api` against the workspace, as far as it can be told without an engine.

use std::fs::read_to_string;
use std::path::Path;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_dependency_layer_has_the_manifest_of_every_member_of_the_workspace() {
    let (manifest, dockerfile) = (file("Cargo.toml"), file("Dockerfile.api"));
    let members = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(members, _)| members)
        .expect("the workspace has members");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.contains(&"api"), "{members:?}");
    for member in members {
        let copy = format!("COPY {member}/Cargo.toml {member}/");
        assert!(dockerfile.contains(&copy), "Dockerfile.api lacks `{copy}`");
    }
}

#[test]
fn the_frontend_and_the_sources_of_the_cli_are_not_copied() {
    let dockerfile = file("Dockerfile.api");
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ")) {
        let sources: Vec<&str> = line.split(' ').skip(1).collect();
        for other in [".", "src", "frontend", "xtask", "templates", "tests"] {
            assert!(!sources.contains(&other), "`{line}` copies {other}");
        }
    }
}
