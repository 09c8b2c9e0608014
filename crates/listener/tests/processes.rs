//! The program as it is run: a holder, and servers that come and go. The servers are this very test
//! program in another role, started through `listener serve` and a shell that puts the inherited
//! socket where safe code can take it.

use std::{
    env,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::fs::FileTypeExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_mins(2);

/// Set for the role of a server; its value is what it answers.
const ANSWER: &str = "LISTENER_TEST_ANSWER";
/// A client that says this makes the server finish: no more connections, then the end.
const FINISH: u8 = b'!';

fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "{what} not within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A directory and a port of its own; what runs in it ends with it.
struct Place {
    directory: PathBuf,
    address: SocketAddr,
}

impl Place {
    fn new(name: &str) -> Self {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        // Free now, and bound again at once.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        Self { directory, address }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("listener.sock")
    }

    fn holder(&self) -> Running {
        let mut command = listener();
        command
            .args(["hold", "--listen", &self.address.to_string(), "--socket"])
            .arg(self.socket());
        Running::start(&mut command, &self.directory)
    }

    fn server(&self, answer: &str) -> Running {
        let mut command = listener();
        command
            .arg("serve")
            .arg("--socket")
            .arg(self.socket())
            .args([
                "--",
                "sh",
                "-c",
                "eval \"exec \\\"\\$0\\\" --exact a_server --nocapture <&${NGINX%;}\"",
            ])
            .arg(env::current_exe().expect("this program"))
            .env(ANSWER, answer);
        Running::start(&mut command, &self.directory)
    }

    /// What a server answers, over a connection of its own.
    fn ask(&self, word: u8) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(&[word])?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is below the build's own directory, where it harms nobody.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn listener() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_listener"));
    command.env_remove("LISTENER_SOCKET").env_remove(ANSWER);
    command
}

struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(command: &mut Command, directory: &Path) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log = directory.join(format!("{number}.log"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("the program starts");
        Self { child, log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("its log")
    }

    fn says(&self, text: &str) {
        eventually(&format!("`{text}`"), || {
            self.said().contains(text).then_some(())
        });
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        kill_process(Pid::from_raw(id).expect("a process id"), signal).expect("it runs");
    }

    fn end(&mut self) -> ExitStatus {
        eventually("its end", || {
            self.child.try_wait().expect("it is our child")
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that asks without a pause, each time over a connection of its own, until its end.
struct Client {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Client {
    fn start(place: &Arc<Place>) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (place, its_stop, its_asked) = (place.clone(), stop.clone(), asked.clone());
        let thread = thread::spawn(move || {
            let mut failures = Vec::new();
            while !its_stop.load(Ordering::Relaxed) {
                if let Err(failure) = place.ask(b'?') {
                    failures.push(failure.to_string());
                }
                its_asked.fetch_add(1, Ordering::Relaxed);
            }
            failures
        });
        Self {
            stop,
            asked,
            thread,
        }
    }

    fn asks_more(&self, count: usize) {
        let wanted = self.asked.load(Ordering::Relaxed) + count;
        eventually("more requests", || {
            (self.asked.load(Ordering::Relaxed) >= wanted).then_some(())
        });
    }

    fn was_answered(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.thread.join().expect("the client ends");
        assert_eq!(
            failures,
            [""; 0],
            "of {}",
            self.asked.load(Ordering::Relaxed)
        );
    }
}

/// No test: the server that the tests start. Its socket is stdin, and does not block.
#[test]
fn a_server() {
    let Ok(answer) = env::var(ANSWER) else { return };
    let socket = io::stdin().as_fd().try_clone_to_owned().expect("stdin");
    let socket = TcpListener::from(socket);
    let finishes = |stream: &mut TcpStream| -> io::Result<bool> {
        let mut word = [0];
        stream.read_exact(&mut word)?;
        stream.write_all(answer.as_bytes())?;
        Ok(word == [FINISH])
    };
    loop {
        match socket.accept() {
            Ok((mut stream, _)) => {
                if finishes(&mut stream).unwrap_or_default() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_server_that_starts_first_waits_for_the_holder() {
    let place = Place::new("first");
    let server = place.server("A");
    server.says("waits for the listener");
    let holder = place.holder();
    holder.says("holds");
    assert_eq!(place.ask(b'?').expect("an answer"), "A");
    holder.says("1 serve");
}

#[test]
fn servers_replace_each_other_under_load_and_no_connection_is_lost() {
    let place = Arc::new(Place::new("load"));
    let holder = place.holder();
    holder.says("holds");
    let mut old = place.server("0");
    eventually("the first answer", || place.ask(b'?').ok());
    let clients: Vec<_> = (0..4).map(|_| Client::start(&place)).collect();
    for number in 1..=5 {
        let new = place.server(&number.to_string());
        let answer = number.to_string();
        eventually("an answer of the new one", || {
            (place.ask(b'?').expect("an answer") == answer).then_some(())
        });
        // Whoever hears it finishes; what is asked of the new one starts another of the same.
        let mut heard = place.ask(FINISH).expect("an answer");
        let mut replaced = Vec::new();
        while heard == answer {
            replaced.push(place.server(&answer));
            heard = place.ask(FINISH).expect("an answer");
        }
        assert!(old.end().success(), "{}", old.said());
        old = replaced.pop().unwrap_or(new);
        for client in &clients {
            client.asks_more(10);
        }
    }
    clients.into_iter().for_each(Client::was_answered);
}

#[test]
fn between_two_servers_connections_wait_in_the_queue() {
    let place = Arc::new(Place::new("between"));
    let holder = place.holder();
    holder.says("holds");
    let early = {
        let place = Arc::clone(&place);
        thread::spawn(move || place.ask(b'?'))
    };
    let mut server = place.server("A");
    assert_eq!(early.join().expect("it ends").expect("an answer"), "A");
    place.ask(FINISH).expect("an answer");
    server.end();
    holder.says("0 serve");
    let early = {
        let place = Arc::clone(&place);
        thread::spawn(move || place.ask(b'?'))
    };
    let _server = place.server("B");
    assert_eq!(early.join().expect("it ends").expect("an answer"), "B");
}

#[test]
fn a_server_whose_holder_was_killed_ends_and_its_successor_serves_the_next_holder() {
    let place = Place::new("killed");
    let mut holder = place.holder();
    let mut server = place.server("A");
    eventually("an answer", || place.ask(b'?').ok());
    holder.signal(Signal::KILL);
    holder.end();
    assert!(!server.end().success());
    server.says("the listener is gone");

    // What the killed one left at the socket's path is no hindrance.
    assert!(
        place
            .socket()
            .symlink_metadata()
            .expect("it is there")
            .file_type()
            .is_socket()
    );
    let server = place.server("B");
    server.says("waits for the listener");
    let _holder = place.holder();
    assert_eq!(eventually("an answer", || place.ask(b'?').ok()), "B");
}

#[test]
fn a_server_that_ends_takes_its_companion_along() {
    let place = Place::new("companion");
    let holder = place.holder();
    let mut server = place.server("A");
    holder.says("1 serve");
    server.signal(Signal::KILL);
    server.end();
    // The companion has the connection: the holder sees it end.
    holder.says("0 serve");
}

#[test]
fn without_a_holder_to_come_it_ends_and_says_so() {
    let place = Place::new("nobody");
    let mut command = listener();
    command
        .args(["serve", "--wait", "0.1", "--socket"])
        .arg(place.socket())
        .args(["--", "true"]);
    let mut server = Running::start(&mut command, &place.directory);
    assert_eq!(server.end().code(), Some(1));
    assert!(
        server.said().contains("no listener at"),
        "{}",
        server.said()
    );
}

#[test]
fn without_a_socket_it_is_the_command() {
    let mut command = listener();
    command.args(["serve", "--", "sh", "-c", "echo \"${NGINX-none}\"; exit 7"]);
    let output = command.env("NGINX", "9;").output().expect("it runs");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "none\n");
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let place = Place::new("file");
    std::fs::write(place.socket(), "somebody's").expect("a file");
    let mut holder = place.holder();
    assert_eq!(holder.end().code(), Some(1));
    assert!(
        holder.said().contains("something else than a socket"),
        "{}",
        holder.said()
    );
    assert!(place.socket().is_file());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new("taken");
    let _taken = TcpListener::bind(place.address).expect("it was free");
    let mut holder = place.holder();
    assert_eq!(holder.end().code(), Some(1));
    let fault = format!("cannot listen on {}", place.address);
    assert!(holder.said().contains(&fault), "{}", holder.said());
}
