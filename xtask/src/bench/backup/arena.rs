//! The shipped stack, and beside its replica a container of the same image, with the same settings, volumes
//! and limit of memory, in which everything is measured.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{
    Size,
    memory::{Peak, Watch},
    steps,
};
use crate::{
    command::say,
    debian,
    deploy::Deploy,
    engine::{PROJECT_LABEL, docker, docker_with_input},
    stack::Stack,
};

/// The compressor of whoever does it by hand; the image has none.
const ZSTD: &str = "/usr/bin/zstd";
const BY_HAND: &str = "/app/data/by-hand.sql.zst";
const SCHEMA_BY_HAND: &str = "bench_by_hand";
/// As it is in the table, with the indexes, by the server's account.
const BYTES_OF_A_ROW: u64 = 860;
/// How long the server may take to write down what it has in memory.
const SETTLE: Duration = Duration::from_mins(2);

/// Removed with this value.
pub(super) struct Arena<'a> {
    stack: Stack<'a>,
    database: String,
    container: String,
    rows: u64,
}

/// What the API's program did.
pub(super) struct Done {
    pub(super) filename: String,
    pub(super) seconds: f64,
    /// Of a restore.
    pub(super) steps: Vec<(String, f64)>,
    pub(super) peak: Peak,
}

impl Done {
    /// How long a step took.
    pub(super) fn step(&self, name: &str) -> anyhow::Result<f64> {
        let step = self.steps.iter().find(|(step, _)| step == name);
        step.map(|(_, seconds)| *seconds)
            .with_context(|| format!("the restore had no step `{name}`"))
    }
}

impl<'a> Arena<'a> {
    pub(super) fn open(deploy: &'a Deploy) -> anyhow::Result<Self> {
        debian::install(ZSTD, &["zstd"])?;
        let stack = Stack::shipped(deploy, "bench-backup");
        let mut arena = Self {
            container: format!("{}-arena", stack.project),
            stack,
            database: String::new(),
            rows: 0,
        };
        say("the shipped stack with one replica");
        let status = arena.stack.json(&["up", "--replicas", "1"])?;
        let container = |service: &str| {
            let services = status["services"].as_array()?.iter();
            let mut of = services.filter(|it| it["name"] == service);
            of.next()?["replicas"][0]["container"]
                .as_str()
                .map(str::to_owned)
        };
        arena.database = container("db").context("no database")?;
        arena.start(&container("api").context("no replica")?)?;
        Ok(arena)
    }

    /// A container like the replica, in which nothing runs yet.
    fn start(&self, replica: &str) -> anyhow::Result<()> {
        let told: Value = serde_json::from_str(&docker(&["inspect", replica])?)?;
        let config = &told[0]["Config"];
        let network = told[0]["NetworkSettings"]["Networks"].as_object();
        let network = network.and_then(|networks| networks.keys().next());
        let memory = told[0]["HostConfig"]["Memory"].to_string();
        let label = format!("{PROJECT_LABEL}={}", self.stack.project);
        let mut run: Vec<String> = ["run", "--detach", "--init", "--label", &label, "--name"]
            .map(str::to_owned)
            .to_vec();
        run.push(self.container.clone());
        run.extend([
            "--network".to_owned(),
            network.context("no network")?.clone(),
        ]);
        run.extend(["--memory".to_owned(), memory]);
        run.extend(["--volumes-from".to_owned(), replica.to_owned()]);
        for variable in config["Env"].as_array().into_iter().flatten() {
            run.extend([
                "--env".to_owned(),
                variable.as_str().unwrap_or_default().to_owned(),
            ]);
        }
        run.extend(["--entrypoint".to_owned(), "sleep".to_owned()]);
        run.push(config["Image"].as_str().context("no image")?.to_owned());
        run.push("infinity".to_owned());
        docker(&run.iter().map(String::as_str).collect::<Vec<_>>())?;
        docker(&["cp", ZSTD, &format!("{}:{ZSTD}", self.container)])?;
        let version = self.shell("zstd --version && mysqldump --version", &[])?;
        say(version.trim());
        Ok(())
    }

    /// Fills the table up to this size.
    pub(super) fn fill(&mut self, size: Size) -> anyhow::Result<()> {
        say(format!("rows up to {} MB", size.megabytes()));
        let wanted = size.0 / BYTES_OF_A_ROW;
        if self.rows == 0 {
            self.sql(TABLE)?;
            self.rows = 1;
        }
        while self.rows < wanted {
            // Not too many at once: each statement is one transaction.
            let more = self.rows.min(wanted - self.rows).min(100_000);
            self.sql(&format!("{MORE} LIMIT {more};"))?;
            self.rows += more;
        }
        self.sql("ANALYZE TABLE bench_rows;").map(drop)
    }

    /// What the table holds, by the server's account.
    pub(super) fn contents(&self) -> anyhow::Result<String> {
        let told = self.sql(
            "SELECT CONCAT(ROUND((data_length + index_length) / 1e6), ' MB by the server''s account, in ', COUNT(*), ' table') \
             FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'bench_rows' \
             GROUP BY data_length, index_length;",
        )?;
        Ok(format!(
            "text, numbers and noise in {} rows: {}",
            self.rows,
            told.trim()
        ))
    }

    /// `sysndd-api backup create`.
    pub(super) fn backup(&self) -> anyhow::Result<Done> {
        self.settle()?;
        self.api(&["backup", "create"])
    }

    /// `sysndd-api backup restore`.
    pub(super) fn restore(&self, filename: &str) -> anyhow::Result<Done> {
        self.settle()?;
        self.api(&["backup", "restore", filename, "--confirm", "RESTORE"])
    }

    /// `mysqldump | zstd`, in seconds.
    pub(super) fn dump_by_hand(&self) -> anyhow::Result<f64> {
        self.settle()?;
        let began = Instant::now();
        self.shell(
            &format!(
                "mysqldump {CONNECT} --user=sysndd --single-transaction --quick --hex-blob --routines --triggers --events \
                 --set-gtid-purged=OFF --no-tablespaces sysndd | zstd -q -f -o {BY_HAND}"
            ),
            &[],
        )?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// `zstd -d | mysql`, into an empty schema, in seconds.
    pub(super) fn load_by_hand(&self) -> anyhow::Result<f64> {
        self.root(&format!("CREATE DATABASE {SCHEMA_BY_HAND}"))?;
        self.settle()?;
        let began = Instant::now();
        self.shell(
            &format!("zstd -q -d -c {BY_HAND} | mysql {CONNECT} --user=root --binary-mode {SCHEMA_BY_HAND}"),
            &[],
        )?;
        let took = began.elapsed().as_secs_f64();
        self.root(&format!("DROP DATABASE {SCHEMA_BY_HAND}"))?;
        Ok(took)
    }

    /// Removes the backups.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        self.shell(&format!("rm -f /app/data/backups/*.zst* {BY_HAND}"), &[])
            .map(drop)
    }

    /// The program of the API, watched.
    fn api(&self, arguments: &[&str]) -> anyhow::Result<Done> {
        let id = docker(&["inspect", "--format", "{{.Id}}", &self.container])?;
        let watch = Watch::on(&id);
        let began = Instant::now();
        let mut child = Command::new("docker")
            .args(["exec", &self.container, "sysndd-api"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (mut begun, mut said) = (Vec::new(), String::new());
        let stderr = child.stderr.take().context("no standard error")?;
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            if let Some(step) = steps::begins(&line) {
                begun.push((began.elapsed().as_secs_f64(), step));
            }
            said.push_str(&line);
            said.push('\n');
        }
        let output = child.wait_with_output()?;
        let seconds = began.elapsed().as_secs_f64();
        let peak = watch.peak()?;
        if !output.status.success() {
            bail!(
                "sysndd-api {arguments:?} failed ({}):\n{said}",
                output.status
            );
        }
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let filename = answer["filename"].as_str().context("no name")?.to_owned();
        Ok(Done {
            filename,
            seconds,
            steps: steps::durations(&begun, seconds),
            peak,
        })
    }

    /// A script in the container; each part of a pipe must end well.
    fn shell(&self, script: &str, environment: &[&str]) -> anyhow::Result<String> {
        let script = format!("set -euo pipefail; PATH=/opt/mysql-client/bin:$PATH; {script}");
        let exec = ["exec", "--env", "MYSQL_PWD=for-tests-only"];
        docker(
            &[
                &exec,
                environment,
                &[&self.container, "bash", "-c", &script],
            ]
            .concat(),
        )
    }

    /// As the application's account, in the database's container.
    fn sql(&self, script: &str) -> anyhow::Result<String> {
        let exec = [
            "exec",
            "-i",
            "-e",
            "MYSQL_PWD=for-tests-only",
            &self.database,
        ];
        let client = [
            "mysql",
            "--user=sysndd",
            "--batch",
            "--skip-column-names",
            "sysndd",
        ];
        docker_with_input(&[exec, client].concat(), script)
    }

    fn root(&self, statement: &str) -> anyhow::Result<String> {
        let exec = ["exec", "-e", "MYSQL_PWD=for-tests-only", &self.database];
        let execute = format!("--execute={statement}");
        let client = [
            "mysql",
            "--user=root",
            "--batch",
            "--skip-column-names",
            &execute,
        ];
        docker(&[&exec[..], &client].concat())
    }

    /// Waits until the server has nothing more to do for what was before.
    fn settle(&self) -> anyhow::Result<()> {
        const STILL: u64 = 50;
        let began = Instant::now();
        loop {
            let dirty = self.root("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")?;
            let dirty = dirty
                .split_whitespace()
                .nth(1)
                .and_then(|count| count.parse().ok());
            if dirty.is_none_or(|dirty: u64| dirty <= STILL) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < SETTLE,
                "the server still writes after {SETTLE:?}: {dirty:?} pages"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        // It may not have come about.
        let _ = docker(&["rm", "--force", &self.container]);
    }
}

/// As the API's program connects.
const CONNECT: &str = "--no-defaults --protocol=TCP --host=db --port=3306 --ssl-mode=VERIFY_IDENTITY \
    --ssl-ca=/run/tls/ca.pem --default-character-set=utf8mb4 --max-allowed-packet=1G";

const TABLE: &str = "
CREATE TABLE bench_rows (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, number DOUBLE, amount DECIMAL(14, 4), day DATE,
    words TEXT, noise VARBINARY(200), KEY by_day (day), KEY by_number (number));
INSERT INTO bench_rows (number, amount, day, words, noise) VALUES (0.5, 1.5, '2026-01-01', 'the first', RANDOM_BYTES(150));
";
/// Half of the text is said again and again, and noise does not compress: the whole does about as well as
/// the tables of a site.
const MORE: &str = "
INSERT INTO bench_rows (number, amount, day, words, noise)
SELECT RAND() * 1e9, ROUND(RAND() * 1e6, 4), '2000-01-01' + INTERVAL FLOOR(RAND() * 9000) DAY,
    CONCAT(HEX(RANDOM_BYTES(16)), ' ', HEX(RANDOM_BYTES(16)), REPEAT(' words that are said again', 15), ' ', HEX(RANDOM_BYTES(16))), RANDOM_BYTES(150)
FROM bench_rows";
