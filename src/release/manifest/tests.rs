use std::fs;

use super::*;
use crate::{
    config::{Caller, Environment, show},
    docker::ContainerSpec,
    observe::Observed,
    plan::{self, Action, ResolvedImage, UpIntent, Wish},
    release::fixture,
};

const TEMPLATE: &str = "server {{ name }};\n";

/// A directory with a stack that takes something from everywhere.
struct Site {
    directory: tempfile::TempDir,
    environment: Environment,
}

const STACK: &str = r#"
project = "demo"

[secrets]
SESSION = { length = 32 }

[volumes.data]
[volumes.edge]

[services.db]
image = "db:${DB_VERSION:-9}"

[services.db.environment]
MYSQL_PASSWORD = "${DB_PASSWORD:-not-for-production}"
MYSQL_ROOT_PASSWORD = "written-out" # in the file itself

[services.api]
image = "api:${TAG}"
user = "1000:1000"
replicas = 2
depends_on = ["db"]
volumes = ["data:/data", "./files:/files", "~/cache:/cache"]
resources = { memory = "${MEMORY:-268435456}" }

[services.api.environment]
RELEASE = "${deploy.release}"
SESSION_SALT = "${SESSION}"
PORT = 8080
PRICE = "5 $$"
DATABASE_URL = "mysql://app:${DB_PASSWORD}@db/app"
OTHER_URL = "${UPSTREAM_URL}"
GREETING = "${GREETING-hello}"

[services.web]
image = "web:1"
depends_on = ["api"]
ports = ["${WEB_PORT:-8080}:8080"]
volumes = ["edge:/edge"]

[services.worker]
[services.worker.build]
context = "."
dockerfile = "Dockerfile"
uid = "host"
gid = "host"

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

const DOTENV: &str = "\
TAG=7
DB_PASSWORD=first-secret
SESSION=second-secret
UPSTREAM_URL=https://user:third-secret@example.org/
WEB_PORT=9090
";

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment {
            variables: BTreeMap::from([
                ("HOME".to_owned(), "/home/ana".to_owned()),
                ("MEMORY".to_owned(), "536870912".to_owned()),
            ]),
            caller: Caller { uid: 501, gid: 20 },
            directory: directory.path().to_owned(),
        };
        let site = Self {
            directory,
            environment,
        };
        site.write("sysndd.toml", STACK);
        site.write(".env", DOTENV);
        site.write("upstream.tera", TEMPLATE);
        site.write("Dockerfile", "FROM scratch\n");
        site
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn stack(&self) -> Stack {
        config::load(
            &self.directory.path().join("sysndd.toml"),
            &self.environment,
        )
        .unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn secrets(&self) -> Secrets {
        let path = self.directory.path().join("sysndd.toml");
        Secrets::beside(&path, &self.environment).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The record, as it comes back from the volume.
    fn manifest(&self) -> Manifest {
        let stack = Stack {
            project: ProjectName::new("other"),
            ..self.stack()
        };
        let new = fixture::new_manifest("r20261120-101500-000001", &stack, TEMPLATE);
        let written = serde_json::to_vec(&Manifest::new(&stack, new)).unwrap();
        serde_json::from_slice(&written).unwrap()
    }
}

/// Every container that a stack would run, with its config hash among its labels.
fn containers(stack: &Stack) -> Vec<ContainerSpec> {
    let image = |name: &ServiceName| ResolvedImage::Present(format!("sha256:{name}"));
    let images = stack
        .services
        .keys()
        .map(|name| (name.clone(), image(name)))
        .collect();
    let intent = UpIntent {
        now: fixture::time(0),
        run: String::new(),
        wish: Wish::default(),
        resume: None,
        history: plan::History::default(),
        edge_template: TEMPLATE.to_owned(),
        old_edge: None,
    };
    let plan = plan::up(stack, &images, &Observed::default(), &intent);
    let specs = plan.operations.into_iter().filter_map(|operation| {
        let Action::CreateContainer(spec) = operation.action else {
            return None;
        };
        Some(*spec)
    });
    specs.collect()
}

#[test]
fn a_release_replayed_is_the_release_again_to_the_last_config_hash() {
    let site = Site::new();
    let manifest = site.manifest();
    let original = Stack {
        project: ProjectName::new("other"),
        ..site.stack()
    };

    let replayed = manifest.stack(&site.secrets()).unwrap();

    assert_eq!(containers(&replayed), containers(&original));
    assert_eq!(show(&replayed), show(&original));
    assert_eq!(replayed.root, original.root);
    assert_eq!(replayed.image_prefix, original.image_prefix);
    assert_eq!(replayed.origin, original.origin);
    assert_eq!(manifest.edge_template(&replayed), TEMPLATE);
}

#[test]
fn what_changed_around_the_file_since_then_does_not_matter() {
    let mut site = Site::new();
    let manifest = site.manifest();
    let original = containers(&manifest.stack(&site.secrets()).unwrap());

    let dotenv = DOTENV.replace("TAG=7", "TAG=8").replace("9090", "9191");
    site.write(".env", &format!("{dotenv}GREETING=servus\nDB_VERSION=10\n"));
    site.write(
        "sysndd.toml",
        &STACK.replace("replicas = 2", "replicas = 3"),
    );
    fs::remove_file(site.directory.path().join("upstream.tera")).unwrap();
    fs::remove_file(site.directory.path().join("Dockerfile")).unwrap();
    let variables = &mut site.environment.variables;
    variables.insert("HOME".to_owned(), "/root".to_owned());
    variables.insert("MEMORY".to_owned(), "1073741824".to_owned());
    site.environment.caller = Caller { uid: 0, gid: 0 };

    let replayed = manifest.stack(&site.secrets()).unwrap();
    assert_eq!(containers(&replayed), original);
}

#[test]
fn no_secret_is_in_the_record() {
    let text = serde_json::to_string(&Site::new().manifest()).unwrap();
    for secret in [
        "first-secret",
        "second-secret",
        "third-secret",
        "not-for-production",
        "written-out",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("DB_PASSWORD") && text.contains("SESSION"));
}

#[test]
fn a_secret_is_taken_as_it_is_now() {
    let site = Site::new();
    let manifest = site.manifest();
    site.write(".env", &DOTENV.replace("first-secret", "rotated"));
    let replayed = manifest.stack(&site.secrets()).unwrap();
    let api = &replayed.services[&ServiceName::new("api")];
    assert_eq!(
        api.environment["DATABASE_URL"].expose(),
        "mysql://app:rotated@db/app"
    );
}

#[test]
fn a_secret_that_is_gone_is_named() {
    let site = Site::new();
    let manifest = site.manifest();
    site.write(".env", "TAG=7\nSESSION=second-secret\nUPSTREAM_URL=x\n");
    let errors = manifest.stack(&site.secrets()).unwrap_err().to_string();
    assert!(
        errors.contains("the secret `DB_PASSWORD`, which is not set"),
        "{errors}"
    );
    assert!(!errors.contains("SESSION"), "{errors}");
}

#[test]
fn a_secret_that_was_written_out_is_named_by_its_place_when_it_is_gone() {
    let site = Site::new();
    let manifest = site.manifest();
    let without = STACK.replace("MYSQL_ROOT_PASSWORD", "MYSQL_OTHER");
    site.write("sysndd.toml", &without);
    let errors = manifest.stack(&site.secrets()).unwrap_err().to_string();
    assert!(
        errors.contains("`services.db.environment.MYSQL_ROOT_PASSWORD`"),
        "{errors}"
    );
}
