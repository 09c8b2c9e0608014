//! The HTTP listener and how it ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Source;
use super::source::duration;

const DEFAULT_PORT: u16 = 8080;
/// Below the 30 s after which an engine usually kills a container.
const DEFAULT_GRACE: Duration = Duration::from_secs(25);

/// Where to listen and how long to drain.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// `SYSNDD_BIND`, else `0.0.0.0` and `PORT`, else `0.0.0.0:8080`.
    pub(crate) bind: SocketAddr,
    /// `SYSNDD_SHUTDOWN_GRACE`: how long requests in flight may take to finish.
    pub(crate) grace: Duration,
    /// `SYSNDD_DRAIN_DELAY`: how long to answer "draining" before the listener closes. Zero unless a
    /// load balancer learns from `/health/ready` whom to leave out; counts towards the grace.
    pub(crate) drain_delay: Duration,
}

impl Server {
    pub(crate) fn read(source: &mut Source) -> Self {
        let port = source.value("PORT", DEFAULT_PORT, |text| {
            text.parse().map_err(|_| "must be a port number".to_owned())
        });
        let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        let server = Self {
            bind: source.value("SYSNDD_BIND", default, |text| {
                text.parse()
                    .map_err(|_| "must be an address and a port, such as 0.0.0.0:8080".to_owned())
            }),
            grace: source.value("SYSNDD_SHUTDOWN_GRACE", DEFAULT_GRACE, duration),
            drain_delay: source.value("SYSNDD_DRAIN_DELAY", Duration::ZERO, duration),
        };
        if server.drain_delay > server.grace {
            source.fault(
                "SYSNDD_DRAIN_DELAY",
                "must not be longer than SYSNDD_SHUTDOWN_GRACE",
            );
        }
        server
    }
}
