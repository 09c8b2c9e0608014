//! One container in which all contestants run, so that each has the same processor, the same way
//! over TCP to the same server, and none the start of a container in its time.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

use super::files::files;
use crate::{
    command::{capture, cargo, root, run},
    deploy::{Deploy, TestDatabase},
    engine::{PROJECT_LABEL, docker, docker_with_input},
};

/// Who applies the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The `mysql` client, one process that reads all files one after another.
    ClientOnce,
    /// The `mysql` client, a process for each file.
    ClientPerFile,
    /// sqlx's migrator.
    Sqlx,
    /// `sysndd-api migrate up`.
    Ours,
    /// The same program without a task: what any process costs here.
    Nothing,
}

/// The database that they fill.
pub(super) const DATABASE: &str = "bench";

pub(super) struct Arena<'a> {
    pub(super) database: &'a TestDatabase<'a>,
    container: String,
}

/// One run: when it began, in seconds since 1970, and how each starter ended.
pub(super) struct Run {
    pub(super) began: f64,
    pub(super) ends: Vec<End>,
    /// What they wrote to standard output.
    pub(super) output: String,
}

pub(super) struct End {
    pub(super) code: i32,
    pub(super) at: f64,
}

impl Run {
    /// Until all starters are done.
    pub(super) fn seconds(&self) -> f64 {
        self.ends.iter().map(|end| end.at).fold(0.0, f64::max) - self.began
    }

    pub(super) fn failures(&self) -> usize {
        self.ends.iter().filter(|end| end.code != 0).count()
    }
}

impl<'a> Arena<'a> {
    /// A container of the database's own image, which has the client, with the other programs and
    /// the files copied into it.
    pub(super) fn new(deploy: &Deploy, database: &'a TestDatabase<'a>) -> anyhow::Result<Self> {
        let peer = build_peer()?;
        let api = deploy.api_image()?;
        let label = format!("{PROJECT_LABEL}={}", database.stack.project);
        let image = docker(&["inspect", "--format", "{{.Image}}", &database.container])?;
        let name = format!("{}-arena", database.stack.project);
        let network = &database.network;
        docker(&[
            "run",
            "--detach",
            "--init=false",
            "--name",
            &name,
            "--label",
            &label,
            "--network",
            network,
            "--tmpfs",
            "/var/lib/mysql",
            "--entrypoint",
            "sleep",
            &image,
            "infinity",
        ])?;
        let arena = Self {
            database,
            container: name,
        };
        let dir = tempfile::tempdir().context("a directory for the files")?;
        fs::create_dir(dir.path().join("files"))?;
        let mut all = String::new();
        for (file, text) in files() {
            fs::write(dir.path().join("files").join(file), &text)?;
            all.push_str(&text);
        }
        fs::write(dir.path().join("all.sql"), all)?;
        fs::copy(peer, dir.path().join("peer-sqlx"))?;
        let container = docker(&["create", "--label", &label, &api])?;
        let program = format!("{container}:/usr/local/bin/sysndd-api");
        let copied = copy(&program, &dir.path().display().to_string());
        docker(&["rm", &container])?;
        copied?;
        let into = format!("{}:/bench", arena.container);
        copy(&format!("{}/.", dir.path().display()), &into)?;
        Ok(arena)
    }

    /// An empty database.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let script = format!("DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE}");
        self.database.sql("mysql", &script).map(drop)
    }

    /// So many at once, from the moment before the first is forked.
    pub(super) fn run(&self, contestant: Contestant, starters: usize) -> anyhow::Result<Run> {
        let client = format!(
            "mysql --no-defaults --protocol=TCP --host={} --user=root --ssl-mode=DISABLED --get-server-public-key {DATABASE}",
            TestDatabase::HOST
        );
        let command = match contestant {
            Contestant::ClientOnce => format!("{client} < /bench/all.sql"),
            Contestant::ClientPerFile => {
                format!("for file in /bench/files/*.sql; do {client} < $file || exit 1; done")
            }
            Contestant::Sqlx => "/bench/peer-sqlx /bench/files $URL".to_owned(),
            Contestant::Nothing => "/bench/sysndd-api --version".to_owned(),
            Contestant::Ours => {
                "SYSNDD_DATABASE_URL=$URL SYSNDD_REPLICA=bench-$i /bench/sysndd-api migrate up --dir /bench/files"
                    .to_owned()
            }
        };
        let script = format!(
            "cd /tmp; rm -f out.* err.* end.*\nbegan=$EPOCHREALTIME\n\
             for i in $(seq {starters}); do ( ( {command} ) >out.$i 2>err.$i; echo \"end $? $EPOCHREALTIME\" >end.$i ) & done\n\
             wait\necho began $began\ncat end.* out.*\ncat err.* >&2\n"
        );
        let password = format!("MYSQL_PWD={}", TestDatabase::PASSWORD);
        let url = format!(
            "URL=mysql://root:{}@{}:3306/{DATABASE}",
            TestDatabase::PASSWORD,
            TestDatabase::HOST
        );
        let exec = [
            "exec",
            "-i",
            "-e",
            &password,
            "-e",
            &url,
            &self.container,
            "bash",
            "-s",
        ];
        let run = parse(&docker_with_input(&exec, &script)?).context("reading a run's answer")?;
        ensure!(
            run.ends.len() == starters,
            "{} of {starters} starters of {contestant:?} ended",
            run.ends.len()
        );
        Ok(run)
    }
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        if let Err(error) = docker(&["rm", "--force", "--volumes", &self.container]) {
            crate::command::say(format!("the benchmark's container stays: {error:#}"));
        }
    }
}

fn copy(from: &str, to: &str) -> anyhow::Result<()> {
    capture(Command::new("docker").args(["cp", from, to])).map(drop)
}

/// Builds the peer, a package of its own that nothing else builds.
fn build_peer() -> anyhow::Result<std::path::PathBuf> {
    let target = root().join("target/peers");
    let manifest = Path::new("xtask/peers/sqlx/Cargo.toml");
    let mut build = cargo();
    build.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
    ]);
    build.arg(manifest).env("CARGO_TARGET_DIR", &target);
    run("sqlx as a peer", &mut build)?;
    Ok(target.join("release/peer-sqlx"))
}

fn parse(answer: &str) -> Option<Run> {
    let began = answer.lines().next()?.strip_prefix("began ")?;
    let (mut ends, mut output) = (Vec::new(), String::new());
    for line in answer.lines().skip(1) {
        if let Some((code, at)) = line
            .strip_prefix("end ")
            .and_then(|end| end.split_once(' '))
        {
            ends.push(End {
                code: code.parse().ok()?,
                at: at.parse().ok()?,
            });
        } else {
            output.push_str(line);
            output.push('\n');
        }
    }
    Some(Run {
        began: began.parse().ok()?,
        ends,
        output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_answer_is_read() {
        let run = parse("began 100.5\nend 0 101.25\nend 1 102.5\nsaid\n").expect("is one");
        assert!((run.seconds() - 2.0).abs() < 1e-9);
        assert_eq!((run.failures(), &*run.output), (1, "said\n"));
        assert!(parse("").is_none());
    }
}
