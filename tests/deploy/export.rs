//! The stack in the hands of Docker Compose.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::harness::{Call, each, eventually, get, program, replicas_behind, root, text};

/// A Compose project, taken down with its volumes however the test ends.
struct ComposeProject {
    name: String,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

const SECRETS: [(&str, &str); 5] = [
    ("DB_PASSWORD", "for-tests-only"),
    ("DB_RESTORE_PASSWORD", "for-tests-only"),
    ("DB_ROOT_PASSWORD", "for-tests-only"),
    ("SECRET_KEY", "only-for-tests-0123456789abcdefghijkl"),
    ("SYSNDD_PORT", "0"),
];

fn call(arguments: &[&str]) -> Call {
    let file = root().join("sysndd.toml").display().to_string();
    let call = program(&["--config", &file]).with(arguments);
    SECRETS
        .iter()
        .fold(call, |call, (name, value)| call.env(name, value))
}

impl ComposeProject {
    /// The shipped stack, exported; its images are made first.
    async fn export() -> Self {
        call(&["build"]).ends_with(0).await;
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let file = directory.path().join("docker-compose.yml");
        let output = file.display().to_string();
        call(&["export", "compose", "--output", &output])
            .ends_with(0)
            .await;
        Self {
            name: format!("t-{:08x}", rand::random::<u32>()),
            file,
            _directory: directory,
        }
    }

    fn compose(&self, arguments: &[&str]) -> Output {
        Command::new("docker")
            .args(["compose", "-p", &self.name, "-f"])
            .arg(&self.file)
            .args(arguments)
            .envs(SECRETS)
            .output()
            .expect("docker starts")
    }
}

impl Drop for ComposeProject {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for arguments in [["ps", "--all"].as_slice(), &["logs", "--tail", "20"]] {
                let output = self.compose(arguments);
                // Nothing can be done about a stderr that is gone.
                let _ = std::io::stderr().write_all(&output.stdout);
            }
        }
        let down = self.compose(&["down", "--volumes", "--timeout", "1"]);
        if !std::thread::panicking() {
            assert!(
                down.status.success(),
                "{}",
                String::from_utf8_lossy(&down.stderr)
            );
        }
    }
}

fn compose_must_be_there() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    assert!(
        version.is_ok_and(|output| output.status.success()),
        "`docker compose` is not installed: put the plugin `docker-compose` (2.40 or newer) and the client `docker` \
         where `docker compose version` finds them"
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine and Docker Compose"]
async fn compose_brings_the_exported_stack_up_scaled_and_verify_passes_on_it() {
    compose_must_be_there();
    let project = ComposeProject::export().await;
    let up = project.compose(&["up", "-d", "--wait", "--scale", "api=4"]);
    assert!(
        up.status.success(),
        "{}",
        String::from_utf8_lossy(&up.stderr)
    );

    let status = call(&["--project", &project.name, "status"]).json().await;
    let url = text(&status["url"]);
    assert_eq!(each(&status, "api", "name").len(), 4);
    let page = get(&url).await.expect("the page");
    assert_eq!(page.status(), 200);
    let ready = get(&format!("{url}/api/health/ready"))
        .await
        .expect("ready");
    assert_eq!(ready.status(), 200);

    let verify = call(&["--project", &project.name, "verify"]).report().await;
    verify.passes();
    let skipped = verify.ids("skip");
    assert!(skipped.contains(&"startup.parallel"), "{skipped:?}");
    // Compose may have started all of them before the last migration was applied; certificates and
    // the catcher are not in the exported stack, and the first backup is not due yet.
    let told = [
        "startup.parallel",
        "migration.fast-path",
        "database.tls",
        "mail.captured",
        "backup.recent",
        "backup.roundtrip",
    ];
    let told = |id: &&str| told.contains(id);
    assert!(skipped.iter().all(told), "{skipped:?}");

    // One more fits beside them, and the edge finds it without being told.
    let more = project.compose(&["up", "-d", "--wait", "--no-recreate", "--scale", "api=5"]);
    assert!(
        more.status.success(),
        "{}",
        String::from_utf8_lossy(&more.stderr)
    );
    let seen = eventually("all five answer", async || {
        let seen = replicas_behind(&url, 40).await;
        (seen.len() == 5).then_some(seen)
    })
    .await;
    assert_eq!(seen.len(), 5);

    // What Compose manages is left to it.
    for command in [
        ["up"].as_slice(),
        &["plan"],
        &["down", "--volumes"],
        &["watch"],
    ] {
        call(&["--project", &project.name])
            .with(command)
            .ends_with(2)
            .await
            .says(&["were brought up by Docker Compose", "docker compose -p"]);
    }
    assert_eq!(
        get(&url).await.expect("the page").status(),
        200,
        "nothing was touched"
    );
}

#[tokio::test]
async fn the_unit_of_systemd_names_what_is_there() {
    let file = root().join("sysndd.toml").display().to_string();
    let unit = call(&["--project", "demo", "export", "systemd"])
        .ends_with(0)
        .await
        .stdout;
    let command = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .expect("a command");
    let words: Vec<&str> = command.split(' ').collect();
    assert!(Path::new(words[0]).is_file(), "{command}");
    assert!(words.contains(&file.as_str()), "{command}");
    assert!(command.contains("--project demo"), "{command}");
    assert!(command.ends_with("watch"), "{command}");
}
