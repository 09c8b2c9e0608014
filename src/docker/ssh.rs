//! An engine on another machine, by OpenSSH: one connection, over which the engine's socket is
//! forwarded to a socket here. Everything that `ssh` knows (its settings, agent, known hosts, jumps)
//! holds, since it is `ssh` that connects. It never asks: what would be a question is a failure.
//!
//! The connection ends with this process, however that ends: a guard beside it waits for the end of a
//! pipe that only this process holds.

mod refusal;
mod target;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::UnixStream,
    process::{Child, ChildStdin, Command},
    sync::watch,
    time::timeout,
};

use super::{EngineError, Result};
pub(super) use target::Target;

/// Longer than `ConnectTimeout`, since jumps and name servers take their time as well.
const OPENS_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks for the socket, which no event announces.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What ssh has to say about a refused stream comes right after its end.
const SPEAKS_WITHIN: Duration = Duration::from_millis(500);
/// For a look at that machine when its engine is not reached.
const LOOKS_WITHIN: Duration = Duration::from_secs(15);
/// Lines that are kept; a chatty server must not fill the memory.
const KEPT_LINES: usize = 20;

/// Runs ssh until it ends or until standard input does, which is when whoever started this is gone.
/// Then nothing stays: neither ssh nor its socket.
const GUARD: &str = r#"dir=$1; shift
exec 3<&0
ssh "$@" 3<&- </dev/null &
link=$!
{ read -r _ <&3; kill "$link"; } >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait "$link"; code=$?
kill "$guard" 2>/dev/null
rm -rf "$dir"
exit "$code""#;

/// How it ended; nothing as long as it stands.
type End = Option<String>;

/// The link of this process, for the last words of a command. There is one engine, so there is one.
static LINK: OnceLock<(watch::Receiver<End>, ChildStdin)> = OnceLock::new();
/// Connections end a moment before ssh has.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// How the link to the engine ended, where it did by itself.
pub(crate) async fn link_ended() -> Option<String> {
    let mut link = LINK.get()?.0.clone();
    let ended = timeout(ENDS_WITHIN, link.wait_for(Option::is_some)).await;
    ended.ok()?.ok()?.clone()
}

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    target: Target,
    socket: PathBuf,
    said: Said,
    ended: watch::Receiver<End>,
    /// Its end is the link's end; the first of a process is kept until that ends.
    hold: Option<ChildStdin>,
}

/// What ssh printed.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn add(&self, line: String) {
        tracing::debug!(line, "from ssh");
        if let Ok(mut lines) = self.0.lock() {
            if lines.len() == KEPT_LINES {
                lines.remove(0);
            }
            lines.push(line);
        }
    }

    fn text(&self) -> String {
        self.0
            .lock()
            .map(|lines| lines.join("\n"))
            .unwrap_or_default()
    }
}

impl Link {
    /// Connects, and returns once the engine's socket is here.
    pub(super) async fn open(target: &Target) -> Result<Self> {
        let failed = |cause: String| target.unreachable(&cause);
        // 0700: whoever reaches the socket governs the engine. The guard removes it, since it may be
        // the last that is left.
        let directory = TempDir::with_prefix("sysndd-ssh-")
            .map_err(|error| failed(format!("no directory for its socket: {error}")))?
            .keep();
        let socket = directory.join("engine");
        let mut child = Command::new("sh")
            .args(["-c", GUARD, "sysndd-deploy-link"])
            .arg(&directory)
            .args(target.arguments(&socket))
            // Questions that BatchMode does not keep a jump from asking are answered with nothing.
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for this process to act on, and it needs the link to do so.
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("starting ssh: {error}")))?;
        let (Some(hold), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(failed("ssh has no standard streams".to_owned()));
        };
        let said = Said::default();
        let (tell_end, ended) = watch::channel(None);
        let words = (said.clone(), target.clone());
        tokio::spawn(async move {
            let (said, target) = words;
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                said.add(line.trim_end().to_owned());
            }
            wait(child).await;
            tell_end.send_replace(Some(target.lost(&said.text())));
        });
        let mut link = Self {
            target: target.clone(),
            socket,
            said,
            ended,
            hold: Some(hold),
        };
        link.stands().await?;
        // Only one that stood: the other case is told as it is. It stays until the process ends, so that
        // its own end can be told from ours.
        if let Some(hold) = link.hold.take()
            && let Err((_, hold)) = LINK.set((link.ended.clone(), hold))
        {
            link.hold = Some(hold);
        }
        Ok(link)
    }

    async fn stands(&mut self) -> Result<()> {
        let looking = async {
            while UnixStream::connect(&self.socket).await.is_err() {
                if self.ended.borrow().is_some() {
                    return false;
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    _ = self.ended.changed() => {}
                }
            }
            true
        };
        match timeout(OPENS_WITHIN, looking).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.target.unreachable(&self.said.text())),
            Err(_) => {
                let said = self.said.text();
                let cause = format!("no connection within {OPENS_WITHIN:?}\n{said}");
                Err(self.target.unreachable(&cause))
            }
        }
    }

    /// The engine's socket, on this machine.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Why the link stands and nothing comes over it, as far as ssh and that machine say.
    pub(super) async fn refusal(&self) -> Option<EngineError> {
        let speaking = async {
            while !Target::is_refused(&self.said.text()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Silence is an answer, too.
        timeout(SPEAKS_WITHIN, speaking).await.ok()?;
        let mut look = Command::new("ssh");
        look.args(self.target.look())
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let seen = match timeout(LOOKS_WITHIN, look.output()).await {
            Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            _ => String::new(),
        };
        Some(self.target.refusal(&self.said.text(), &seen))
    }

    /// Waits until the link is lost.
    pub(super) async fn lost(&self) -> EngineError {
        let mut ended = self.ended.clone();
        // The sender is dropped only after it has told.
        let how = ended.wait_for(Option::is_some).await;
        EngineError::Lost {
            doing: "waiting".to_owned(),
            cause: how.ok().and_then(|how| how.clone()).unwrap_or_default(),
        }
    }
}

async fn wait(mut child: Child) {
    if let Err(error) = child.wait().await {
        tracing::debug!(%error, "waiting for ssh");
    }
}
