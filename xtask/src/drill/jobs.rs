//! Jobs while the replicas that run them are killed and drained at random: none is lost, and each
//! takes effect once.
//!
//! The effect of a job is a row in a table that has no key to catch a second one. Chance comes from
//! a seed, which is printed; when a signal meets a job is up to the machine.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use super::random::{Random, any_seed};
use crate::{
    command::{built, capture, print, program, root, run, say},
    deploy::{Deploy, TestDatabase},
};

const DATABASE: &str = "drill_jobs";
/// Longer than a job takes, and short enough that some jobs wait for it to end.
const LEASE: &str = "2s";
/// Too short for some jobs: they are given back.
const GRACE: &str = "600ms";
const LONGEST_PAUSE_MS: u64 = 250;
/// No job may stand still for longer, whatever happens around it.
const STANDSTILL: Duration = Duration::from_mins(1);

/// Jobs while the replicas that run them are killed and drained at random.
#[derive(clap::Args)]
pub(crate) struct Jobs {
    /// How many
    #[arg(long = "jobs", default_value_t = 1000)]
    count: u32,
    /// Replicas that run them; every other one does nothing else
    #[arg(long, default_value_t = 4)]
    replicas: usize,
    /// Repeats the chance of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// What happened on the way.
#[derive(Default)]
struct Tally {
    killed: u32,
    drained: u32,
}

/// One replica, started again whenever it ends.
struct Replica<'a> {
    role: &'static str,
    name: String,
    binary: &'a Path,
    url: &'a str,
    logs: &'a Path,
    process: Child,
}

impl Jobs {
    /// What the test command runs.
    pub(crate) fn small() -> Self {
        Self {
            count: 60,
            replicas: 3,
            seed: Some(2611),
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        let seed = self.seed.unwrap_or_else(any_seed);
        say(format!(
            "seed {seed}: --seed {seed} repeats the chance of this run"
        ));
        let deploy = Deploy::build(false)?;
        let binary = built("sysndd-api", false)?;
        let database = TestDatabase::start(&deploy)?;
        let logs = tempfile::tempdir()?;
        let done = self.carry_out(seed, &database, &binary, logs.path());
        if done.is_err() {
            let kept = logs.keep();
            say(format!("what the replicas wrote is in {}", kept.display()));
        }
        done
    }

    fn carry_out(
        &self,
        seed: u64,
        database: &TestDatabase<'_>,
        binary: &Path,
        logs: &Path,
    ) -> anyhow::Result<()> {
        let mut random = Random::of(seed, "jobs");
        database.sql("mysql", &format!("CREATE DATABASE {DATABASE}"))?;
        let url = format!("{}/{DATABASE}", database.url);
        run(
            "schema",
            program(binary)
                .args(["migrate", "up", "--dir", "migrations"])
                .stdout(Stdio::null())
                .env("SYSNDD_DATABASE_URL", &url),
        )?;
        self.enqueue(database, &mut random)?;

        let began = Instant::now();
        let mut replicas = (0..self.replicas)
            .map(|number| Replica::start(number, binary, &url, logs))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tally = Self::disturb(&mut random, database, &mut replicas)?;
        let took = began.elapsed();
        for replica in &mut replicas {
            replica.terminate()?;
        }
        self.judge(database)?;
        let given_back = count(logs, "the job was given back")?;
        let taken_over = count(logs, "a job was taken from a worker")?;
        print(format!(
            "{} jobs on {} replicas in {:.0} s, {} of them killed and {} drained on the way: none lost, \
             each took effect once; {given_back} given back, {taken_over} taken over from the dead",
            self.count,
            self.replicas,
            took.as_secs_f64(),
            tally.killed,
            tally.drained
        ));
        Ok(())
    }

    fn enqueue(&self, database: &TestDatabase<'_>, random: &mut Random) -> anyhow::Result<()> {
        let jobs: Vec<String> = (0..self.count)
            .map(|_| {
                let pause = random.below(LONGEST_PAUSE_MS);
                format!("('drill.count', '{{\"pause_ms\": {pause}}}', 1000)")
            })
            .collect();
        database.sql(
            DATABASE,
            &format!(
                "CREATE TABLE drill_effects (effect_id INT AUTO_INCREMENT PRIMARY KEY, \
                 job_id BIGINT UNSIGNED NOT NULL, fence BIGINT UNSIGNED NOT NULL, \
                 replica VARCHAR(128) NOT NULL);\n\
                 INSERT INTO jobs (kind, payload, max_attempts) VALUES {};",
                jobs.join(", ")
            ),
        )?;
        Ok(())
    }

    /// Ends one replica after the other, one way or another, until no job is left.
    fn disturb(
        random: &mut Random,
        database: &TestDatabase<'_>,
        replicas: &mut [Replica<'_>],
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut last = (u64::MAX, Instant::now());
        loop {
            let left: u64 = database
                .sql(
                    DATABASE,
                    "SELECT COUNT(*) FROM jobs WHERE kind = 'drill.count' AND status IN ('queued', 'running')",
                )?
                .trim()
                .parse()
                .context("counting the jobs that are left")?;
            if left == 0 {
                return Ok(tally);
            }
            if left < last.0 {
                last = (left, Instant::now());
            }
            ensure!(
                last.1.elapsed() < STANDSTILL,
                "{left} jobs are left and none ended for {STANDSTILL:?}"
            );
            std::thread::sleep(Duration::from_millis(200 + random.below(800)));
            let which = usize::try_from(random.below(replicas.len() as u64))?;
            let replica = &mut replicas[which];
            if random.below(2) == 0 {
                replica.kill()?;
                tally.killed += 1;
            } else {
                replica.terminate()?;
                tally.drained += 1;
            }
            replica.restart()?;
        }
    }

    fn judge(&self, database: &TestDatabase<'_>) -> anyhow::Result<()> {
        let states = database.sql(
            DATABASE,
            "SELECT status, COUNT(*) FROM jobs WHERE kind = 'drill.count' GROUP BY status",
        )?;
        let expected = format!("succeeded\t{}", self.count);
        if states.trim() != expected {
            bail!("the jobs stand like this: {states:?}, and not {expected:?}");
        }
        let effects = database.sql(
            DATABASE,
            "SELECT COUNT(*), COUNT(DISTINCT job_id) FROM drill_effects",
        )?;
        let expected = format!("{0}\t{0}", self.count);
        if effects.trim() != expected {
            bail!("effects, and jobs that had one: {effects:?}, and not {expected:?}");
        }
        Ok(())
    }
}

impl<'a> Replica<'a> {
    fn start(
        number: usize,
        binary: &'a Path,
        url: &'a str,
        logs: &'a Path,
    ) -> anyhow::Result<Self> {
        let role = if number.is_multiple_of(2) {
            "serve"
        } else {
            "worker"
        };
        let name = format!("{role}-{number}");
        let process = spawn(role, &name, binary, url, logs)?;
        Ok(Self {
            role,
            name,
            binary,
            url,
            logs,
            process,
        })
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        self.process = spawn(self.role, &self.name, self.binary, self.url, self.logs)?;
        Ok(())
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits until it did.
    fn terminate(&mut self) -> anyhow::Result<()> {
        let pid = self.process.id().to_string();
        capture(Command::new("kill").args(["-TERM", &pid]))?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Replica<'_> {
    fn drop(&mut self) {
        // It ended already, or it ends now.
        let _ = self.kill();
    }
}

fn spawn(role: &str, name: &str, binary: &Path, url: &str, logs: &Path) -> anyhow::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(logs.join(format!("{name}.log")))?;
    Command::new(binary)
        .arg(role)
        .env_clear()
        .env("SYSNDD_REPLICA", name)
        .env("SYSNDD_DATABASE_URL", url)
        .env(
            "SYSNDD_SECRET_KEY",
            "only-for-drills-0123456789abcdefghijkl",
        )
        .env("SYSNDD_BIND", "127.0.0.1:0")
        .env("SYSNDD_DATA_DIR", logs)
        .env("SYSNDD_MIGRATIONS_DIR", root().join("migrations"))
        .env("SYSNDD_WORKERS", "4")
        .env("SYSNDD_JOB_LEASE", LEASE)
        .env("SYSNDD_SHUTDOWN_GRACE", GRACE)
        .env("SYSNDD_DRILL", "jobs")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {name}"))
}

/// Lines with this in them, in all logs.
fn count(logs: &Path, what: &str) -> anyhow::Result<usize> {
    let mut lines = 0;
    for entry in std::fs::read_dir(logs)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read(path)?;
            lines += String::from_utf8_lossy(&text)
                .lines()
                .filter(|line| line.contains(what))
                .count();
        }
    }
    Ok(lines)
}
