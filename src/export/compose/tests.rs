//! The Compose file of a small stack, as text.

use std::collections::BTreeMap;

use super::*;
use crate::config::{self, Environment};

const STACK: &str = r#"
project = "demo"

[bases.images.os]
registry = "os:1"

[secrets]
DB_PASSWORD = { length = 32 }

[volumes.data]
[volumes.edge]

[services.db]
image = "db:1"
volumes = ["data:/var/db"]
environment = { PASSWORD = "${DB_PASSWORD}", PRICE = "5 $$" }
healthcheck = { tcp = { port = 3306 } }

[services.api]
replicas = 2
depends_on = ["db"]
volumes = ["/srv/files:/files:ro"]
environment = { REPLICA = "${deploy.replica}", URL = "db://u:${DB_PASSWORD}@db/", RELEASE = "${deploy.release}" }
read_only = true
tmpfs = ["/tmp"]
cap_drop = ["ALL"]
no_new_privileges = true
resources = { memory = "256m", cpus = 1.5, pids = 64 }

[services.api.build]
context = "."
dockerfile = "Dockerfile.api"
bases = ["os"]
args = { FLAVOUR = "plain", UID = "7" }

[services.api.healthcheck]
test = ["CMD", "api", "healthcheck"]
interval = "10s"
timeout = "3s"
retries = 3

[services.web]
image = "web:1"
depends_on = ["api"]
ports = ["8080:80"]
volumes = ["edge:/edge"]
healthcheck = { http = { port = 80, path = "/healthz" } }

[edge]
service = "web"
upstream = "api"
port = 8080
template = "upstream.tera"
volume = "edge"
file = "upstream.conf"
test = ["true"]
reload_signal = "SIGHUP"
generation = { port = 8081, path = "/generation" }
"#;

const UPSTREAM: &str = "# list\nupstream u {\n{%- for server in servers %}\n  server {{ server.name }}:{{ upstream.port }};\n{%- endfor %}\n}\nmap $x $y {}\n";
const SECRET: &str = "very-secret-value";

fn render(text: &str) -> Result<String, ComposeError> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("sysndd.toml"), text).unwrap();
    std::fs::write(at("upstream.tera"), UPSTREAM).unwrap();
    std::fs::write(at("Dockerfile.api"), "FROM os:1\n").unwrap();
    let environment = Environment {
        variables: BTreeMap::from([("DB_PASSWORD".into(), SECRET.into())]),
        caller: config::Caller { uid: 0, gid: 0 },
        directory: directory.path().to_path_buf(),
    };
    let stack =
        config::load(&at("sysndd.toml"), &environment).unwrap_or_else(|errors| panic!("{errors}"));
    let compose = Compose {
        stack: &stack,
        directory: directory.path(),
        edge_template: UPSTREAM,
        images: &BTreeMap::new(),
        bases: &BTreeMap::new(),
    };
    compose.render()
}

#[test]
fn a_stack_becomes_a_compose_file_that_can_be_scaled() {
    let text = render(STACK).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn no_value_of_a_secret_is_written() {
    let text = render(STACK).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("${DB_PASSWORD:?"), "{text}");
}

#[test]
fn a_secret_that_is_written_out_is_refused_with_its_place() {
    let stack = STACK.replace("\"${DB_PASSWORD}\"", "\"hunter22\"");
    let refused = render(&stack).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("services.db.environment.PASSWORD"),
        "{refused}"
    );
}

#[test]
fn what_is_read_back_is_what_was_meant() {
    let text = render(STACK).unwrap();
    let file: Value = serde_yaml::from_str(&text).unwrap();
    let api = &file["services"]["api"];
    assert_eq!(api["deploy"]["replicas"], 2);
    assert_eq!(api["depends_on"]["db"]["condition"], "service_healthy");
    assert!(api["environment"].get("REPLICA").is_none());
    assert_eq!(api["environment"]["RELEASE"], "compose");
    assert_eq!(
        api["build"]["args"],
        serde_json::json!({"FLAVOUR": "plain", "GID": "1000", "OS_IMAGE": "os:1", "UID": "7"})
    );
    assert_eq!(file["services"]["db"]["environment"]["PRICE"], "5 $$");
    let list = &file["services"]["web-upstream"]["environment"]["UPSTREAM_LIST"];
    let written = list.as_str().unwrap().trim_end();
    assert_eq!(
        written,
        "# list\nupstream u {\n  server api:8080;\n}\nmap $$x $$y {}"
    );
}
