//! From here to the container's address.

use std::{io::ErrorKind, time::Duration};

use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use super::{
    CONNECT_TIMEOUT, ProbeError,
    http::{Body, Request, Response},
};
use crate::observe::Replica;

/// A server that says nothing first (HTTP) has accepted for good when it did not hang up by then.
const HOLDS_FOR: Duration = Duration::from_millis(50);

pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // A proxy for the internet must not see requests to containers.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // A fresh connection each time: the question is whether the replica accepts one.
        .pool_max_idle_per_host(0)
        .build()
        .unwrap_or_else(|error| unreachable!("a client from constants: {error}"))
}

pub(super) async fn send(
    client: &reqwest::Client,
    replica: &Replica,
    port: u16,
    request: &Request<'_>,
) -> Result<Response, ProbeError> {
    let address = replica.address.ok_or(ProbeError::NotRunning)?;
    let authority = std::net::SocketAddr::new(address, port);
    send_to(client, &authority.to_string(), request).await
}

pub(super) async fn send_to(
    client: &reqwest::Client,
    authority: &str,
    request: &Request<'_>,
) -> Result<Response, ProbeError> {
    let Request {
        method,
        path,
        within,
        ..
    } = request;
    let verb = method
        .parse()
        .map_err(|_| ProbeError::Failed(format!("{method} is no method")))?;
    let mut call = client
        .request(verb, format!("http://{authority}{path}"))
        .timeout(*within);
    for (name, value) in request.all_headers() {
        call = call.header(name, value);
    }
    let call = match &request.body {
        Body::None => call,
        Body::Json(text) => call.body(text.clone()),
        Body::Filler(length) => call.body(vec![b'a'; *length]),
    };
    let answer = call.send().await.map_err(|error| {
        if error.is_connect() && error.is_timeout() {
            ProbeError::NoRoute(authority.to_owned())
        } else if error.is_connect() {
            ProbeError::Failed(format!("{authority} refuses connections"))
        } else if error.is_timeout() {
            ProbeError::Failed(format!("no answer to {method} {path} within {within:?}"))
        } else {
            ProbeError::Failed(format!("{method} {path}: {error}"))
        }
    })?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = answer
        .bytes()
        .await
        .map_err(|error| ProbeError::Failed(format!("{method} {path} was cut off: {error}")))?;
    Ok(Response {
        status,
        headers,
        body: body.to_vec(),
    })
}

pub(super) async fn connects(replica: &Replica, port: u16) -> Result<(), ProbeError> {
    let address = replica.address.ok_or(ProbeError::NotRunning)?;
    let connecting = TcpStream::connect((address, port));
    let mut stream = match timeout(CONNECT_TIMEOUT, connecting).await {
        Err(_) => return Err(ProbeError::NoRoute(format!("{address}:{port}"))),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            return Err(ProbeError::Failed(format!(
                "port {port} refuses connections"
            )));
        }
        Ok(Err(error)) => return Err(ProbeError::Failed(format!("port {port}: {error}"))),
        Ok(Ok(stream)) => stream,
    };
    let mut first = [0];
    match timeout(HOLDS_FOR, stream.read(&mut first)).await {
        Err(_) => Ok(()),
        Ok(Ok(read)) if read > 0 => Ok(()),
        Ok(_) => Err(ProbeError::Failed(format!(
            "port {port} accepts and hangs up"
        ))),
    }
}
