//! A way into the containers' network from wherever the engine can be reached: a port on this
//! machine's loopback interface whose connections are carried by a command inside a container.
//!
//! Needs `bash` and `cat` in the container's image. It knows nothing of what is carried.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use bollard::{container::LogOutput, exec::StartExecResults, models::ExecConfig};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{Engine, EngineError, Result};

/// Both directions, until either ends; then neither goes on. `cat` would read from /dev/null in the
/// background, were it not told otherwise.
const CARRY: &str = r#"exec 3<>"/dev/tcp/$1/$2" 4<&0 || exit 7
cat <&3 & cat <&4 >&3 & wait -n
kill $(jobs -p)"#;
/// An accept that fails does so for want of file descriptors, which come back.
const PAUSE: Duration = Duration::from_millis(50);

/// A listening port here that leads there. Ends with this value, its connections too.
#[derive(Debug)]
pub(crate) struct Tunnel {
    address: SocketAddr,
    said: Arc<Mutex<String>>,
    carrier: JoinHandle<()>,
}

impl Tunnel {
    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the far end said went wrong, for messages.
    pub(crate) fn trouble(&self) -> Option<String> {
        let said = self.said.lock().ok()?;
        let text = said.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Engine {
    /// Opens a tunnel that ends at `host:port` as `container` sees them.
    pub(crate) async fn tunnel(&self, container: &str, host: &str, port: u16) -> Result<Tunnel> {
        let failed = |error: std::io::Error| EngineError::Other {
            doing: "opening a tunnel".to_owned(),
            cause: error.to_string(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let said = Arc::new(Mutex::new(String::new()));
        let end = FarEnd {
            engine: self.clone(),
            container: container.to_owned(),
            host: host.to_owned(),
            port,
            said: Arc::clone(&said),
        };
        let carrier = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            let end = end.clone();
                            connections.spawn(async move { end.carry(stream).await });
                        }
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Tunnel {
            address,
            said,
            carrier,
        })
    }
}

/// Where connections come out.
#[derive(Clone)]
struct FarEnd {
    engine: Engine,
    container: String,
    host: String,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl FarEnd {
    async fn carry(&self, stream: TcpStream) {
        if let Err(error) = self.try_carry(stream).await {
            self.say(&error.to_string());
        }
    }

    /// Carries one connection to its end. What cannot be carried shows itself to both sides as a
    /// connection that was closed.
    async fn try_carry(&self, stream: TcpStream) -> Result<()> {
        let doing = || format!("carrying a connection through {}", self.container);
        let failed = |error| EngineError::new(doing(), error);
        let port = self.port.to_string();
        let command = ["bash", "-c", CARRY, "tunnel", &self.host, &port];
        let config = ExecConfig {
            cmd: Some(command.map(str::to_owned).to_vec()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self.engine.api.create_exec(&self.container, config).await;
        let exec = exec.map_err(failed)?;
        let started = self.engine.api.start_exec(&exec.id, None).await;
        let StartExecResults::Attached {
            mut output,
            mut input,
        } = started.map_err(failed)?
        else {
            return Ok(());
        };
        let (mut from_here, mut to_here) = stream.into_split();
        let there = async {
            // Whichever way it ends, the far end is told by the end of its input.
            let _ = copy(&mut from_here, &mut input).await;
            let _ = input.shutdown().await;
        };
        let here = async {
            while let Some(piece) = output.next().await {
                match piece {
                    Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                        if to_here.write_all(&message).await.is_err() {
                            return;
                        }
                    }
                    Ok(LogOutput::StdErr { message }) => {
                        self.say(&String::from_utf8_lossy(&message));
                    }
                    Ok(LogOutput::StdIn { .. }) => {}
                    Err(error) => return self.say(&error.to_string()),
                }
            }
        };
        tokio::select! {
            () = there => {}
            () = here => {}
        }
        Ok(())
    }

    fn say(&self, text: &str) {
        tracing::debug!(
            container = self.container,
            text,
            "from the far end of a tunnel"
        );
        if let Ok(mut said) = self.said.lock() {
            text.trim().clone_into(&mut said);
        }
    }
}
