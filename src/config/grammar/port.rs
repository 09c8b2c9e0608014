//! Published ports.

use std::net::IpAddr;

use crate::config::{
    read::Problem,
    stack::{Port, Protocol},
};

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, as in Compose. Without a host port the engine picks one.
pub(in crate::config) fn port(text: &str) -> Result<Port, Problem> {
    const FORMS: &str =
        "write \"8080:80\", \"127.0.0.1:8080:80\", \"8080:80/udp\", or \"80\" for any free port";
    let problem = |why: &str| Problem::new(format!("`{text}` is not a port: {why}"), FORMS);
    let (numbers, protocol) = match text.split_once('/') {
        None => (text, Protocol::Tcp),
        Some((numbers, "tcp")) => (numbers, Protocol::Tcp),
        Some((numbers, "udp")) => (numbers, Protocol::Udp),
        Some(_) => return Err(problem("the protocol is neither tcp nor udp")),
    };
    if numbers.contains('-') {
        return Err(problem("ranges are not supported"));
    }
    let number = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| problem("ports are numbers from 1 to 65535"))
    };
    let (front, container) = match numbers.rsplit_once(':') {
        Some((front, container)) => (Some(front), container),
        None => (None, numbers),
    };
    let container = number(container)?;
    if container == 0 {
        return Err(problem("the container's port cannot be 0"));
    }
    let (host_ip, host) = match front.map(|front| front.rsplit_once(':').ok_or(front)) {
        None => (None, 0),
        Some(Err(host)) => (None, number(host)?),
        Some(Ok((ip, host))) => {
            let bare = ip.trim_start_matches('[').trim_end_matches(']');
            let ip: IpAddr = bare
                .parse()
                .map_err(|_| problem("the address is not an IP address"))?;
            (
                Some(ip.to_string()),
                if host.is_empty() { 0 } else { number(host)? },
            )
        }
    };
    Ok(Port {
        host_ip,
        host,
        container,
        protocol,
    })
}

/// A port as it is written.
pub(in crate::config) fn show_port(port: &Port) -> String {
    let ip = match &port.host_ip {
        Some(ip) if ip.contains(':') => format!("[{ip}]:"),
        Some(ip) => format!("{ip}:"),
        None => String::new(),
    };
    let protocol = match port.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => "/udp",
    };
    format!("{ip}{}:{}{protocol}", port.host, port.container)
}
