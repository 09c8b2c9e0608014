//! A wire between the program and its database that a test can cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// They pass.
    Passes,
    /// They vanish, as behind a firewall or with a server that hangs.
    Vanishes,
    /// Connections are reset, as with a server that is gone.
    Resets,
}

/// The wire.
pub(crate) struct Proxy {
    address: SocketAddr,
    traffic: watch::Sender<Traffic>,
}

impl Proxy {
    pub(crate) async fn to(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (traffic, mode) = watch::channel(Traffic::Passes);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream.clone(), mode.clone()));
            }
        });
        Self { address, traffic }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }
}

async fn carry(client: TcpStream, upstream: String, mode: watch::Receiver<Traffic>) {
    let mut until = mode.clone();
    let reset = until.wait_for(|mode| *mode == Traffic::Resets);
    tokio::select! {
        biased;
        _ = reset => {}
        () = pass(client, upstream, mode) => {}
    }
}

async fn pass(mut client: TcpStream, upstream: String, mut mode: watch::Receiver<Traffic>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_client, mut from_server) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                if *mode.borrow() == Traffic::Passes
                    && server.write_all(&from_client[..length]).await.is_err() { return }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                // What the server says while the wire is cut arrives late, as it would.
                if mode.wait_for(|mode| *mode == Traffic::Passes).await.is_err() { return }
                if client.write_all(&from_server[..length]).await.is_err() { return }
            }
        }
    }
}
