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

/// How the link of this process ended, for the last words of a command. There is one engine, so there
/// is one link.
static ENDED: OnceLock<String> = OnceLock::new();

/// How the link to the engine ended, where it did by itself.
pub(crate) fn link_ended() -> Option<&'static str> {
    ENDED.get().map(String::as_str)
}

/// The connection. Ends with this value.
#[derive(Debug)]
pub(super) struct Link {
    target: Target,
    socket: PathBuf,
    said: Said,
    ended: watch::Receiver<bool>,
    /// Its end is the link's end.
    _hold: ChildStdin,
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
        self.0.lock().map(|lines| lines.join("\n")).unwrap_or_default()
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
        let (tell_end, ended) = watch::channel(false);
        let words = (said.clone(), target.clone());
        tokio::spawn(async move {
            let (said, target) = words;
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                said.add(line.trim_end().to_owned());
            }
            wait(child).await;
            tell_end.send_replace(true);
            // Only that of a link which stood: the other case is told as it is.
            let _ = ENDED.set(target.lost(&said.text()));
        });
        let mut link = Self {
            target: target.clone(),
            socket,
            said,
            ended,
            _hold: hold,
        };
        link.stands().await?;
        Ok(link)
    }

    async fn stands(&mut self) -> Result<()> {
        let looking = async {
            while UnixStream::connect(&self.socket).await.is_err() {
                if *self.ended.borrow() {
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

    /// Waits until ssh has said why it carried nothing.
    pub(super) async fn has_spoken(&self) {
        let speaking = async {
            while self.refusal().is_none() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Silence is an answer, too.
        let _ = timeout(SPEAKS_WITHIN, speaking).await;
    }

    /// Why the link stands and nothing comes over it.
    pub(super) fn refusal(&self) -> Option<EngineError> {
        self.target.refusal(&self.said.text())
    }

    /// Waits until the link is lost.
    pub(super) async fn lost(&self) -> EngineError {
        let mut ended = self.ended.clone();
        // The sender is dropped only after it has told.
        let _ = ended.wait_for(|ended| *ended).await;
        EngineError::Lost {
            doing: format!("linked to {}", self.target),
            cause: self.target.lost(&self.said.text()),
        }
    }
}

async fn wait(mut child: Child) {
    if let Err(error) = child.wait().await {
        tracing::debug!(%error, "waiting for ssh");
    }
}
