//! The shipped stack with two replicas and much data, and whatever is asked of it or done to it.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    data,
    plan::Victim,
    talk::{ACCOUNT, Job, LONG, Talk},
};
use crate::{
    command::say,
    deploy::Deploy,
    drill::eventually::eventually,
    engine::{docker, docker_with_input},
    stack::Stack,
    stack_file::StackFile,
};

/// Nothing takes so long; what does hangs.
pub(super) const LIMIT: Duration = Duration::from_mins(5);
const DIRECTORY: &str = "/app/data/backups";
/// Jobs of the dead are taken over sooner than in earnest: a round is shorter, and nothing else is different.
/// The living must not lose theirs, however little they come to on a busy machine.
const ENVIRONMENT: [(&str, &str); 1] = [("SYSNDD_JOB_LEASE", "10s")];

/// What an operator writes into `.env` to have a storage for copies beside the stack.
const STORAGE: [(&str, &str); 4] = [
    ("SYSNDD_PROFILES", "storage"),
    ("STORAGE_URL", "s3://backups"),
    ("S3_ACCESS_KEY", "sysndd-of-the-drill"),
    ("S3_SECRET_KEY", "only-for-drills-0123456789"),
];

pub(super) struct Site<'a> {
    pub(super) stack: Stack<'a>,
    /// As long as the stack.
    _file: StackFile,
    megabytes: u64,
    containers: Vec<Container>,
    pub(super) talk: Talk,
    /// What was done and seen in this round.
    transcript: Vec<String>,
    began: Instant,
}

/// Where a replica of the API or the database or the storage runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    victim: Victim,
    /// As a replica signs.
    pub(super) replica: String,
    /// As the engine calls it.
    pub(super) name: String,
}

impl<'a> Site<'a> {
    /// As `sysndd.toml` has it.
    pub(super) const DATABASE: &'static str = "sysndd";

    pub(super) fn open(deploy: &'a Deploy, megabytes: u64, storage: bool) -> anyhow::Result<Self> {
        let file = StackFile::with(&ENVIRONMENT)?;
        // The limits of the edge are for strangers.
        let limits = ["EDGE_RATE", "EDGE_AUTH_RATE"].map(|name| (name, "100000r/s".to_owned()));
        let mut stack = Stack::shipped(deploy, "drill-backup")
            .by(file.path())
            .with(limits);
        if storage {
            stack = stack.with(STORAGE.map(|(name, value)| (name, value.to_owned())));
        }
        let mut site = Self {
            stack,
            _file: file,
            megabytes,
            containers: Vec::new(),
            talk: Talk::new()?,
            transcript: Vec::new(),
            began: Instant::now(),
        };
        site.again()?;
        Ok(site)
    }

    /// From nothing.
    pub(super) fn again(&mut self) -> anyhow::Result<()> {
        say("the shipped stack with two replicas");
        self.stack.run(&["down", "--volumes"])?;
        let (status, url) = self.stack.up(&["--replicas", "2"])?;
        self.containers = containers(&status);
        self.stack.make_administrator(ACCOUNT)?;
        self.sql(&data::fill(self.megabytes))?;
        self.talk.sign_in(&url)
    }

    /// Those of the victims that the stack has; the others are told.
    pub(super) fn victims(&self) -> Vec<Victim> {
        let (there, missing): (Vec<_>, Vec<_>) = Victim::ALL
            .into_iter()
            .partition(|victim| self.containers(*victim).next().is_some());
        for victim in missing {
            let service = victim.service();
            say(format!(
                "the stack has no service `{service}`: no round in which it dies"
            ));
        }
        there
    }

    pub(super) fn containers(&self, victim: Victim) -> impl Iterator<Item = &Container> {
        let all = self.containers.iter();
        all.filter(move |container| container.victim == victim)
    }

    /// Waits until everything runs and every replica says that it is ready.
    pub(super) fn is_back(&self) -> anyhow::Result<()> {
        eventually("a stack of which all is ready", LIMIT, || {
            let status = self.stack.json(&["status"])?;
            let services = status["services"].as_array().context("no services")?;
            let ready = |it: &Value| {
                let replicas = it["replicas"].as_array();
                replicas.is_some_and(|all| all.iter().all(|it| it["ready"] == true))
            };
            Ok(services.iter().all(ready) && self.sql("SELECT 1;").is_ok())
        })
    }

    /// Kills what runs in a container as a fault would, from outside: to the engine it died by itself, and
    /// is started again by the policy of the stack.
    pub(super) fn kill(&mut self, container: &str) -> anyhow::Result<()> {
        let said = docker(&["inspect", "--format", "{{.State.Pid}}", container])?;
        let process = said.parse().ok().and_then(Pid::from_raw);
        let process = process.with_context(|| format!("{container} does not run"))?;
        self.note(format!("SIGKILL to {container}"));
        kill_process(process, Signal::KILL)
            .with_context(|| format!("killing {container}, which must run on this machine"))
    }

    /// As the application's account; answers are lines of columns parted by tabs.
    pub(super) fn sql(&self, script: &str) -> anyhow::Result<String> {
        let client = ["mysql", "--user=sysndd", "--default-character-set=utf8mb4"];
        let batch = ["--batch", "--raw", "--skip-column-names", Self::DATABASE];
        self.inside_database(&[&client[..], &batch].concat(), script)
    }

    /// A program of MySQL's in the database's container.
    pub(super) fn inside_database(&self, program: &[&str], input: &str) -> anyhow::Result<String> {
        self.inside(
            Victim::Database,
            &["-e", "MYSQL_PWD=for-tests-only"],
            program,
            input,
        )
    }

    /// Names of schemas; only `root` sees all.
    pub(super) fn schemas(&self) -> anyhow::Result<Vec<String>> {
        let show = ["mysql", "--user=root", "--batch", "--skip-column-names"];
        let show = [&show[..], &["--execute=SHOW DATABASES"]].concat();
        let told = self.inside_database(&show, "")?;
        Ok(told.lines().map(str::to_owned).collect())
    }

    /// A program in one of the replicas that run.
    pub(super) fn inside_api(&self, program: &[&str]) -> anyhow::Result<String> {
        self.inside(Victim::Api, &[], program, "")
    }

    fn inside(
        &self,
        service: Victim,
        options: &[&str],
        program: &[&str],
        input: &str,
    ) -> anyhow::Result<String> {
        let container = self.containers(service).next().context("no container")?;
        let exec = [&["exec", "-i"], options, &[container.name.as_str()]].concat();
        docker_with_input(&[&exec, program].concat(), input)
    }

    /// What lies in the directory of backups.
    pub(super) fn files(&self) -> anyhow::Result<Vec<String>> {
        let told = self.inside_api(&["ls", "-A", DIRECTORY])?;
        Ok(told.lines().map(str::to_owned).collect())
    }

    /// Begins a job, as soon as the site takes one; answers its number.
    pub(super) fn begin(&mut self, kind: &str, path: &str, body: &Value) -> anyhow::Result<u64> {
        let last = self.talk.newest_job(kind)?;
        let mut begun = None;
        eventually("a site that takes a job", LIMIT, || {
            match self.talk.post(path, body) {
                Ok((StatusCode::ACCEPTED, answer)) => begun = answer["job_id"].as_u64(),
                Ok((status, answer)) if status.is_server_error() => {
                    self.note(format!("POST {path}: {status} {answer}"));
                }
                Ok((status, answer)) => bail!("POST {path}: {status} {answer}"),
                Err(error) => self.note(format!("POST {path}: {error:#}")),
            }
            if begun.is_none() {
                // It may have been begun by one who was too slow to say so.
                begun = Some(self.talk.newest_job(kind)?).filter(|newest| *newest > last);
            }
            Ok(begun.is_some())
        })?;
        begun.context("no job")
    }

    /// A job as it stands; nothing when nobody answers within the limit.
    pub(super) fn job(&mut self, kind: &str, job_id: u64, limit: Duration) -> Option<Job> {
        let job = self.talk.job(kind, job_id, limit)?;
        let Job {
            status,
            step,
            owner,
            attempts,
            error,
            ..
        } = &job;
        let line =
            format!("job {job_id}: {status}, {step:?}, attempt {attempts} by {owner:?}, {error}");
        if self
            .transcript
            .last()
            .is_none_or(|last| !last.ends_with(&line))
        {
            self.note(line);
        }
        Some(job)
    }

    /// Waits for the end of a job.
    pub(super) fn end_of(&mut self, kind: &str, job_id: u64) -> anyhow::Result<Job> {
        let mut ended = None;
        eventually("the end of the job", LIMIT, || {
            ended = self.job(kind, job_id, LONG).filter(Job::has_ended);
            Ok(ended.is_some())
        })?;
        ended.context("no job")
    }

    /// Begins the records of a round.
    pub(super) fn begin_round(&mut self) {
        self.transcript.clear();
        self.began = Instant::now();
    }

    pub(super) fn note(&mut self, line: impl AsRef<str>) {
        let at = self.began.elapsed().as_millis();
        self.transcript
            .push(format!("{at:>7} ms  {}", line.as_ref()));
    }

    /// All that can tell what went wrong in this round.
    pub(super) fn evidence(&self) -> String {
        let since = format!("{}s", self.began.elapsed().as_secs() + 1);
        let mut text = self.transcript.join("\n");
        let mut add = |title: &str, told: anyhow::Result<String>| {
            let told = told.unwrap_or_else(|error| format!("{error:#}"));
            text.push_str(&format!("\n\n# {title}\n{told}"));
        };
        let show = format!("cd {DIRECTORY} && ls -lA && tail -n +1 .restore*.json");
        add("directory", self.inside_api(&["sh", "-c", &show]));
        add("schemas", self.schemas().map(|schemas| schemas.join(" ")));
        add(
            "statements",
            self.inside_database(
                &["mysql", "--user=root", "--execute=SHOW FULL PROCESSLIST"],
                "",
            ),
        );
        for victim in Victim::ALL {
            for Container { name, .. } in self.containers(victim) {
                let logs = Command::new("docker")
                    .args(["logs", "--timestamps", "--since", &since, name])
                    .output();
                let logs = logs.map_err(anyhow::Error::from).map(|output| {
                    [output.stdout, output.stderr]
                        .map(|said| String::from_utf8_lossy(&said).into_owned())
                        .concat()
                });
                add(name, logs);
            }
        }
        text
    }
}

/// Those that can die, by what `status` tells.
fn containers(status: &Value) -> Vec<Container> {
    let services = status["services"].as_array().into_iter().flatten();
    let of = |service: &Value| {
        let victim = Victim::ALL
            .into_iter()
            .find(|victim| service["name"] == victim.service())?;
        let replicas = service["replicas"].as_array()?.iter();
        let container = |replica: &Value| {
            Some(Container {
                victim,
                replica: replica["name"].as_str()?.to_owned(),
                name: replica["container"].as_str()?.to_owned(),
            })
        };
        Some(replicas.filter_map(container).collect::<Vec<_>>())
    };
    services.filter_map(of).flatten().collect()
}
