//! A machine far away, as far as ssh can tell: an sshd of this test alone, on the loopback interface,
//! with keys and settings that are found nowhere else.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Call, eventually};

/// The name of the machine in the settings of the client.
pub(crate) const FAR: &str = "far";

/// Ends with this value, and whoever is logged in with it.
pub(crate) struct Sshd {
    directory: TempDir,
    server: Child,
}

impl Sshd {
    /// With limits that one connection per stream would run into at once.
    pub(crate) async fn start() -> Self {
        Self::start_with("MaxStartups 2:100:2\nMaxSessions 2\n").await
    }

    pub(crate) async fn start_with(settings: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        for key in ["host_key", "key", "other_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &at(key)])
                .status();
            assert!(made.expect("ssh-keygen starts").success());
        }
        fs::copy(at("key.pub"), at("authorized_keys")).expect("a copy");
        let port = free_port();
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n{settings}",
            at("host_key"),
            at("authorized_keys"),
        );
        fs::write(at("sshd_config"), server).expect("its settings");
        let client = format!(
            "Host {FAR}\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            at("key"),
            at("known_hosts"),
        );
        fs::write(at("config"), client).expect("the client's settings");
        let host_key = fs::read_to_string(at("host_key.pub")).expect("a key");
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).expect("a file");
        // `ssh` finds the home of its user by the password file, and not by a variable.
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).expect("a directory");
        let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("config"));
        fs::write(bin.join("ssh"), script).expect("a script");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bin.join("ssh"), executable).expect("a mode");
        // Where a service manager has not made it.
        let _ = fs::create_dir("/run/sshd");
        let program = std::env::var("SYSNDD_TEST_SSHD").unwrap_or("/usr/sbin/sshd".to_owned());
        let server = Command::new(program)
            .args(["-D", "-e", "-f", &at("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(at("log")).expect("a log"))
            .spawn()
            .expect("openssh-server is installed; `cargo xtask test deploy` does that");
        let sshd = Self { directory, server };
        eventually("an sshd that listens", async || {
            sshd.log().contains("Server listening").then_some(())
        })
        .await;
        sshd
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// How often somebody logged in.
    pub(crate) fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// `call`, with settings in which this machine is known.
    pub(crate) fn known_to(&self, call: Call) -> Call {
        let path = std::env::var("PATH").expect("a search path");
        let bin = self.at("bin").display().to_string();
        call.env("PATH", &format!("{bin}:{path}"))
    }

    /// `call`, to the engine that is reached through this machine.
    pub(crate) fn through(&self, call: Call) -> Call {
        self.known_to(call)
            .env("DOCKER_HOST", &format!("ssh://{FAR}"))
    }

    /// Processes that serve somebody who is logged in.
    pub(crate) fn sessions(&self) -> Vec<i32> {
        children(self.server.id())
    }

    /// A signal to each of them.
    pub(crate) fn signal(&self, signal: Signal) {
        for id in self.sessions() {
            if let Some(id) = Pid::from_raw(id) {
                // One that has just ended needs none.
                let _ = kill_process(id, signal);
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn children(parent: u32) -> Vec<i32> {
    let status = |entry: &Path| fs::read_to_string(entry.join("status")).unwrap_or_default();
    let is_child = |text: &str| {
        text.lines().any(|line| line == format!("PPid:\t{parent}"))
            && !text.lines().any(|line| line.starts_with("State:\tZ"))
    };
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            is_child(&status(&entry.path())).then_some(id)
        })
        .collect()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
