//! An engine of a test's own, beside the one that everybody uses: it can be restarted, killed like a
//! host that loses its power, and given a disk that is soon full. It has its own data, its own
//! network namespace, and nothing in common with the other but the program.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bollard::{Docker, query_parameters::ImportImageOptionsBuilder};
use futures::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Call, DEADLINE, Engine, StackFile, eventually, program};

/// Of the stack's published port; nobody else is in its network namespace.
const PORT: &str = "18000";
const STACK: &str = "tests/stacks/light.toml";
/// One call for it uses the client's default.
const TIMEOUT: u64 = 120;

/// Ended and removed with this value.
pub(crate) struct SecondEngine {
    directory: TempDir,
    /// Holds the network namespace, whatever becomes of the engine.
    space: Child,
    daemon: Option<Child>,
    /// Whether its data lie on a file system of their own.
    small: bool,
    /// There once the images are.
    stack: Option<StackFile>,
    pub(crate) project: String,
}

impl SecondEngine {
    /// With the images of the light stack.
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    /// The same with so many megabytes for images, containers and volumes.
    pub(crate) async fn of_size(megabytes: u32) -> Self {
        Self::with(Some(megabytes)).await
    }

    async fn with(megabytes: Option<u32>) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let data = directory.path().join("data");
        fs::create_dir(&data).expect("a directory");
        if let Some(megabytes) = megabytes {
            let size = format!("size={megabytes}m");
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&data);
            assert!(mount.status().expect("mount").success(), "{mount:?}");
        }
        let script = "ip link set lo up && echo up && exec sleep infinity";
        let mut space = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a network namespace");
        let mut said = String::new();
        let stdout = space.stdout.take().expect("it was piped");
        let mut stdout = std::io::BufReader::new(stdout);
        std::io::BufRead::read_line(&mut stdout, &mut said).expect("text");
        assert_eq!(said.trim(), "up", "iproute2 is needed");
        let mut engine = Self {
            directory,
            space,
            daemon: None,
            small: megabytes.is_some(),
            stack: None,
            project: format!("t-{:08x}", rand::random::<u32>()),
        };
        engine.go_on().await;
        engine.stack = Some(engine.load().await);
        engine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As in `DOCKER_HOST`.
    fn host(&self) -> String {
        format!("unix://{}", self.path("engine.sock").display())
    }

    fn inside(&self) -> Vec<String> {
        let net = format!("--net=/proc/{}/ns/net", self.space.id());
        vec!["nsenter".to_owned(), net, "--".to_owned()]
    }

    /// Starts it, and returns when it answers. On a busy machine its containerd can miss the engine's
    /// deadline; then it is started again, as a service manager does.
    pub(crate) async fn go_on(&mut self) {
        self.daemon = Some(self.spawn());
        let began = std::time::Instant::now();
        loop {
            if let Some(client) = self.client()
                && client.ping().await.is_ok()
            {
                return;
            }
            let daemon = self.daemon.as_mut().expect("it was started");
            if daemon.try_wait().expect("it is a child").is_some() {
                self.daemon = Some(self.spawn());
            }
            assert!(
                began.elapsed() < 2 * DEADLINE,
                "the second engine does not answer"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn spawn(&self) -> Child {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("engine.log"))
            .expect("a log");
        let name = format!("test-{}", self.project);
        let inside = self.inside();
        let mut command = Command::new(&inside[0]);
        command
            .args(&inside[1..])
            .arg("dockerd")
            .arg("--data-root")
            .arg(self.path("data"))
            .arg("--exec-root")
            .arg(self.path("exec"))
            .arg("--pidfile")
            .arg(self.path("engine.pid"))
            .args(["--host", &self.host()])
            // Where the host has a containerd of its own, it is shared by name only.
            .args(["--containerd-namespace", &name])
            .args(["--containerd-plugins-namespace", &format!("{name}-plugins")])
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        command.spawn().expect("dockerd starts")
    }

    fn client(&self) -> Option<Docker> {
        let socket = self.path("engine.sock");
        Docker::connect_with_unix(
            &socket.display().to_string(),
            TIMEOUT,
            bollard::API_DEFAULT_VERSION,
        )
        .ok()
    }

    pub(crate) async fn engine(&self) -> Engine {
        let client = self.client().expect("a client");
        Engine::of(client.negotiate_version().await.expect("it answers"))
    }

    /// Ends it as a service manager does.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.has_ended().await;
    }

    /// Ends it and all that it runs as a power cut does: nothing has time to tidy up, and what lay in
    /// memory is gone.
    pub(crate) async fn lose_power(&mut self) {
        self.kill_all();
        self.has_ended().await;
        self.unmount();
        // On a host this is below `/run`.
        for gone in ["exec", "engine.pid", "engine.sock"] {
            let path = self.path(gone);
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.expect("it can be removed");
        }
        if self.small {
            unreachable!("its data would be gone as well");
        }
    }

    /// Until no process of the engine and of its containers is left.
    fn kill_all(&self) {
        let began = std::time::Instant::now();
        while began.elapsed() < DEADLINE {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for process in left {
                // It may have ended with another.
                let _ = kill_process(process, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The engine, its containerd, what that keeps beside each container, and what runs in them.
    fn processes(&self) -> Vec<Pid> {
        let names = |path: PathBuf| -> Vec<String> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().into_string());
            names.filter_map(Result::ok).collect()
        };
        let containers = names(self.path("data/containers"));
        let directory = self.directory.path().display().to_string();
        let marks = [directory, format!("test-{}", self.project)];
        let is_ours = |number: &i32| {
            let read = |file: &str| {
                let bytes = fs::read(format!("/proc/{number}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (command, groups) = (read("cmdline"), read("cgroup"));
            // A zombie has no command any more.
            !command.is_empty()
                && (marks.iter().any(|mark| command.contains(mark))
                    || containers.iter().any(|id| groups.contains(id)))
        };
        let numbers = names("/proc".into()).into_iter();
        let numbers = numbers.filter_map(|name| name.parse().ok());
        numbers.filter(is_ours).filter_map(Pid::from_raw).collect()
    }

    /// What containers that were killed leave mounted.
    fn unmount(&self) {
        let directory = format!("{}/", self.directory.path().display());
        let small = self.path("data");
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut places: Vec<&str> = places
            .filter(|place| place.starts_with(&directory))
            .filter(|place| !self.small || small != PathBuf::from(place))
            .collect();
        places.reverse();
        for place in places {
            // What cannot be unmounted shows when the directory is removed.
            let _ = Command::new("umount").args(["--lazy", place]).status();
        }
    }

    fn signal(&self, signal: Signal) {
        let daemon = self.daemon.as_ref().expect("it runs");
        let process = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
        kill_process(process.expect("a process id"), signal).expect("it can be signalled");
    }

    async fn has_ended(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        eventually("the second engine ends", async || {
            daemon.try_wait().expect("it is a child").map(drop)
        })
        .await;
    }

    /// Copies what the light stack needs from the engine that everybody uses.
    async fn load(&self) -> StackFile {
        let build = program(&["--config", STACK, "build"]).json().await;
        let images = build["images"].as_array().expect("images");
        let from = Engine::connect();
        let mut built = Vec::new();
        for image in images {
            let [service, id] = ["service", "image"].map(|key| image[key].as_str().expect("text"));
            built.push((service.to_owned(), from.tag_of(id).await));
        }
        let mut tagged: Vec<String> = built.iter().map(|(_, tag)| tag.clone()).collect();
        for base in ["debian", "nginx"] {
            tagged.push(from.newest_tag(&format!("sysndd-base/{base}")).await);
        }
        let tagged: Vec<&str> = tagged.iter().map(String::as_str).collect();
        let archive = from.api().export_images(&tagged);
        let client = self.client().expect("a client");
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let mut import = Box::pin(client.import_image_stream(options, archive, None));
        while let Some(step) = import.next().await {
            step.expect("the images can be loaded");
        }
        StackFile::light(&built)
    }

    /// A call for the light stack on this engine, in this variant.
    pub(crate) fn call(&self, variant: &str, arguments: &[&str]) -> Call {
        let stack = self.stack.as_ref().expect("the images are there").path();
        let stack = stack.display().to_string();
        program(&["--config", &stack, "--project", &self.project])
            .with(arguments)
            .through(&self.inside())
            .env("DOCKER_HOST", &self.host())
            .env("LIGHT_PORT", PORT)
            .env("LIGHT_VARIANT", variant)
            .env("LIGHT_WEB_VARIANT", variant)
    }

    /// What a replica says through the edge; absent when nobody answers with 200.
    pub(crate) async fn variant(&self) -> Option<String> {
        let ask = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{PORT} && printf 'GET /api/x HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' >&3 && timeout 5 cat <&3"
        );
        let inside = self.inside();
        let output = tokio::process::Command::new(&inside[0])
            .args(&inside[1..])
            .args(["bash", "-c", &ask])
            .stderr(Stdio::null())
            .output()
            .await
            .expect("bash");
        let answer = String::from_utf8(output.stdout).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let body: serde_json::Value = serde_json::from_str(body).ok()?;
        let right = head.lines().next()?.contains(" 200 ");
        right.then(|| body["variant"].as_str().map(str::to_owned))?
    }

    /// Leaves no room on its disk; what is returned gives it back.
    pub(crate) fn fill(&self) -> Filling {
        assert!(self.small, "this would be everybody's disk");
        let path = self.path("data").join("filling");
        let mut file = fs::File::create(&path).expect("a file");
        let block = vec![0_u8; 64 * 1024];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        Filling(path)
    }
}

/// A full disk.
pub(crate) struct Filling(PathBuf);

impl Drop for Filling {
    fn drop(&mut self) {
        // The whole file system goes with the engine, if this does not work.
        let _ = fs::remove_file(&self.0);
    }
}

impl Drop for SecondEngine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("{}.engine.log", self.project));
            // What can be kept is kept.
            let _ = fs::copy(self.path("engine.log"), kept);
        }
        if let Some(mut daemon) = self.daemon.take() {
            let process = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
            // It takes its containers along.
            let _ = process.map(|process| kill_process(process, Signal::TERM));
            let began = std::time::Instant::now();
            while matches!(daemon.try_wait(), Ok(None)) && began.elapsed() < DEADLINE {
                std::thread::sleep(Duration::from_millis(20));
            }
            // If it has not.
            self.kill_all();
            let _ = daemon.wait();
        }
        self.kill_all();
        self.unmount();
        let _ = self.space.kill();
        let _ = self.space.wait();
        if self.small {
            let _ = Command::new("umount")
                .arg("--lazy")
                .arg(self.path("data"))
                .status();
        }
    }
}
