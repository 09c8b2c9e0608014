use super::*;
use crate::release::fixture::{new_manifest, stack};

const BEFORE: &str = r#"
project = "demo"
[volumes.data]
[services.app]
image = "app:1"
replicas = 2
command = ["serve", "--port", "80"]
volumes = ["data:/data"]
ports = ["0:80", "127.0.0.1:0:443"]
resources = { memory = "256m" }
environment = { LOG = "info", OLD = "1", TOKEN = "${TOKEN:-first}" }
"#;

fn manifest(text: &str, template: &str) -> Manifest {
    let stack = stack(text);
    let mut manifest = Manifest::new(&stack, new_manifest("r1", &stack, template));
    for service in manifest.services.values_mut() {
        service.image.id = "sha256:1".to_owned();
    }
    manifest
}

fn shown(a: &Manifest, b: &Manifest) -> String {
    let line = |change: &Change| {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        format!(
            "{}: {} → {}",
            change.key,
            side(&change.before),
            side(&change.after)
        )
    };
    diff(a, b).iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_release_does_not_differ_from_itself() {
    let manifest = manifest(BEFORE, "");
    assert_eq!(diff(&manifest, &manifest), []);
}

#[test]
fn differences_are_told_in_the_words_of_the_file() {
    let after = BEFORE
        .replace("replicas = 2", "replicas = 4")
        .replace("\"80\"]", "\"81\"]")
        .replace("\"data:/data\"", "\"data:/data:ro\", \"./more:/more\"")
        .replace("0:443", "0:444")
        .replace("256m", "512m")
        .replace(
            "LOG = \"info\", OLD = \"1\"",
            "LOG = \"debug\", NEW = \"1\"",
        )
        .replace(":-first", ":-second");
    let after = after.replace("./more", "/srv/more");
    let mut after = manifest(&after, "");
    for service in after.services.values_mut() {
        service.image.id = "sha256:2".to_owned();
    }
    insta::assert_snapshot!(shown(&manifest(BEFORE, ""), &after));
}

#[test]
fn what_the_file_does_not_say_is_no_difference() {
    let said = BEFORE.replace("replicas = 2", "replicas = 2\nrestart = \"no\"");
    let unsaid = manifest(BEFORE, "");
    let said = manifest(&said, "");
    let changes = shown(&unsaid, &said);
    // Whatever the default is, it is written out on both sides.
    assert!(
        changes.is_empty() || changes.starts_with("services.app.restart: unless-stopped → no"),
        "{changes}"
    );
}
