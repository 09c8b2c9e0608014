//! The project's own program as a tool of its tests.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    command::{built, capture, program, root},
    engine::docker_with_input,
    stack::Stack,
};

/// What the shipped stack needs; of stacks that live for a test or a measurement.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("DB_PASSWORD", "for-tests-only"),
    ("DB_RESTORE_PASSWORD", "for-tests-only"),
    ("DB_ROOT_PASSWORD", "for-tests-only"),
    ("SECRET_KEY", "only-for-tests-0123456789abcdefghijkl"),
];

/// The built `sysndd-deploy`.
pub(crate) struct Deploy {
    binary: PathBuf,
}

impl Deploy {
    /// Builds it in the given profile.
    pub(crate) fn build(release: bool) -> anyhow::Result<Self> {
        Ok(Self {
            binary: built("sysndd-deploy", release)?,
        })
    }

    /// The image of the API, built when it is not there; by its digest.
    pub(crate) fn api_image(&self) -> anyhow::Result<String> {
        let mut command = self.command(&["build", "api", "--format", "json"]);
        let answer: Value = serde_json::from_slice(&capture(command.envs(SECRETS))?)?;
        let image = answer["images"][0]["image"].as_str();
        image.map(str::to_owned).context("no image was built")
    }

    /// A call with the shipped stack, or another below `tests/stacks/`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.binary);
        command.args(arguments);
        command
    }

    /// A call whose answer is JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.command(arguments);
        command.args(["--format", "json"]);
        let answer = capture(&mut command)?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {command:?}"))
    }
}

/// A real MySQL for tests, run by the project's own program.
pub(crate) struct TestDatabase<'a> {
    pub(crate) stack: Stack<'a>,
    /// The server's container, which has the `mysql` client as well.
    pub(crate) container: String,
    /// The network on which containers reach it as [`TestDatabase::HOST`].
    pub(crate) network: String,
    /// With rights to make databases and users.
    pub(crate) url: String,
    /// The `mysql` client in the server's own container, as a command that lacks the database's name.
    pub(crate) client: String,
}

const DATABASE_STACK: &str = "tests/stacks/mysql.toml";
const DATABASE_PASSWORD: &str = "for-tests-only";

impl<'a> TestDatabase<'a> {
    /// The server's name on its network.
    pub(crate) const HOST: &'static str = "db";
    /// Of `root`, on a server that lives for one test run, on the loopback interface.
    pub(crate) const PASSWORD: &'static str = DATABASE_PASSWORD;

    pub(crate) fn start(deploy: &'a Deploy) -> anyhow::Result<Self> {
        let password = ("TEST_DB_PASSWORD", DATABASE_PASSWORD.to_owned());
        let stack = Stack::of(deploy, DATABASE_STACK, "test-mysql").with([password]);
        let mut database = Self {
            container: String::new(),
            network: format!("{}-net", stack.project),
            stack,
            url: String::new(),
            client: String::new(),
        };
        let status = database.stack.json(&["up"])?;
        let (Some(port), Some(container)) = (published_port(&status), container(&status)) else {
            bail!("the test database publishes no port: {status}");
        };
        container.clone_into(&mut database.container);
        database.client = format!(
            "docker exec --interactive --env MYSQL_PWD={DATABASE_PASSWORD} {container} mysql --host 127.0.0.1 --user root"
        );
        database.url = format!("mysql://root:{DATABASE_PASSWORD}@127.0.0.1:{port}");
        Ok(database)
    }

    /// Runs a script with the `mysql` client inside the server's container; answers are lines of
    /// columns parted by tabs.
    pub(crate) fn sql(&self, database: &str, script: &str) -> anyhow::Result<String> {
        let client = ["mysql", "-uroot", "--batch", "--raw", "--skip-column-names"];
        self.inside(&[&client, &[database][..]].concat(), script)
    }

    /// Runs a program inside the server's container, as `root` of the database.
    pub(crate) fn inside(&self, program: &[&str], input: &str) -> anyhow::Result<String> {
        let password = format!("MYSQL_PWD={}", Self::PASSWORD);
        let exec = ["exec", "-i", "-e", &password, &self.container];
        docker_with_input(&[&exec, program].concat(), input)
    }

    /// MySQL's own programs on this machine, taken out of the server's container as the API's image
    /// takes them out of the server's image; answers their directory.
    pub(crate) fn client_dir(&self) -> anyhow::Result<PathBuf> {
        const INSIDE: &str = "/tmp/mysql-client";
        let recipe = root().join("images/mysql-client/collect.sh");
        let recipe = std::fs::read_to_string(&recipe)
            .with_context(|| format!("reading {}", recipe.display()))?;
        self.inside(&["sh", "-s", INSIDE], &recipe)?;
        let dir = root().join("target/mysql-client");
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        }
        let mut copy = program("docker");
        copy.arg("cp")
            .arg(format!("{}:{INSIDE}", self.container))
            .arg(&dir);
        capture(&mut copy)?;
        Ok(dir.join("bin"))
    }
}

/// A real mail catcher for tests, run by the project's own program.
pub(crate) struct TestMail<'a> {
    stack: Stack<'a>,
    /// Host and port that take mail.
    pub(crate) smtp: String,
    /// Where the mail can be read.
    pub(crate) mailbox: String,
    /// Another server, which wants STARTTLS and a login.
    pub(crate) starttls: String,
    /// The same one, encrypted from the first byte.
    pub(crate) tls: String,
    /// Where the certificate of its CA is.
    pub(crate) ca: String,
}

const MAIL_STACK: &str = "tests/stacks/mail.toml";

impl<'a> TestMail<'a> {
    pub(crate) fn start(deploy: &'a Deploy) -> anyhow::Result<Self> {
        let mut mail = Self {
            stack: Stack::of(deploy, MAIL_STACK, "test-mail"),
            smtp: String::new(),
            mailbox: String::new(),
            starttls: String::new(),
            tls: String::new(),
            ca: String::new(),
        };
        let status = mail.stack.json(&["up"])?;
        let address = |port: u64| {
            published(&status, port)
                .map(|port| format!("127.0.0.1:{port}"))
                .with_context(|| format!("port {port} is not published: {status}"))
        };
        mail.smtp = address(1025)?;
        mail.mailbox = format!("http://{}", address(8025)?);
        mail.starttls = address(1587)?;
        mail.tls = address(1465)?;
        mail.ca = format!("http://{}/ca.pem", address(8026)?);
        Ok(mail)
    }
}

/// Where a port of any container of the stack is published.
fn published(status: &Value, container: u64) -> Option<u64> {
    let services = status.get("services")?.as_array()?.iter();
    let replicas = services.filter_map(|service| service.get("replicas")?.as_array());
    let mut ports = replicas
        .flatten()
        .filter_map(|replica| replica.get("ports")?.as_array())
        .flatten();
    ports
        .find(|port| port["container"] == container)?
        .get("host")?
        .as_u64()
}

fn published_port(status: &Value) -> Option<u64> {
    let replica = status.get("services")?.get(0)?.get("replicas")?.get(0)?;
    replica.get("ports")?.get(0)?.get("host")?.as_u64()
}

fn container(status: &Value) -> Option<&str> {
    let replica = status.get("services")?.get(0)?.get("replicas")?.get(0)?;
    replica.get("container")?.as_str()
}
