//! The way from here to the stack's database: its container's address where that can be reached,
//! else a tunnel through the engine. It opens no session and knows no SQL.

mod login;

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

pub(crate) use login::Login;
use mysql_async::{Opts, OptsBuilder};
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    config::{Migrations, Service, ServiceName, Stack},
    docker::{Engine, EngineError, Tunnel},
    observe::{Observed, Replica},
    probe::{self, Prober},
};

/// A host on the same machine connects in microseconds. Longer means: there is no way there.
const NEAR: Duration = Duration::from_millis(750);
/// A database elsewhere may be some networks away.
const FAR: Duration = Duration::from_secs(3);

/// How the database is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// At its own address.
    Direct,
    /// Through a container.
    Tunnel,
}

/// A way to the database that stays open as long as this value.
#[derive(Debug)]
pub(crate) struct Access {
    opts: Opts,
    /// As the stack writes it.
    host: String,
    tunnel: Option<Tunnel>,
}

/// Why there is no way to the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("migrations.database is not the URL of a database: {0}")]
    Url(String),
    #[error("{0}, the stack's database, does not run")]
    NotRunning(ServiceName),
    #[error("{0}, the stack's database, runs and does not accept connections at {1} yet")]
    Refused(ServiceName, SocketAddr),
    #[error(
        "{host} cannot be reached from here ({cause}), and no replica of {service} runs to go through"
    )]
    NoWay {
        host: String,
        cause: String,
        service: ServiceName,
    },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl AccessError {
    /// What to type next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Url(_) => Some("`sysndd-deploy config check` says more".into()),
            Self::NotRunning(_) | Self::NoWay { .. } => {
                Some("`sysndd-deploy up` starts the stack".into())
            }
            Self::Refused(service, _) => Some(format!(
                "wait a moment; `sysndd-deploy logs {service}` shows what it is doing"
            )),
            Self::Engine(error) => error.hint(),
        }
    }
}

impl Access {
    /// Finds a way. A database that is a service of the stack must run.
    pub(crate) async fn open(
        stack: &Stack,
        migrations: &Migrations,
        engine: &Engine,
        prober: &Prober,
        observed: &Observed,
    ) -> Result<Self, AccessError> {
        // The driver's own words may repeat a part of the URL.
        let mut opts = Opts::from_url(&migrations.database.expose())
            .map_err(|_| AccessError::Url(migrations.database.masked()))?;
        let target = Target {
            host: opts.ip_or_hostname().to_owned(),
            port: opts.tcp_port(),
            inside: prober.way() == probe::Way::Inside,
        };
        let service = ServiceName::new(target.host.as_str());
        if stack.services.contains_key(&service) {
            let replica = running(observed, &service)
                .ok_or_else(|| AccessError::NotRunning(service.clone()))?;
            opts = with_authority(opts, &stack.services[&service], replica, engine).await?;
            return target.of_the_stack(opts, &service, replica, engine).await;
        }
        let through = running(observed, &migrations.service);
        target.elsewhere(opts, migrations, through, engine).await
    }

    /// What the driver needs to connect.
    pub(crate) fn opts(&self) -> Opts {
        self.opts.clone()
    }

    pub(crate) fn way(&self) -> Way {
        match &self.tunnel {
            Some(_) => Way::Tunnel,
            None => Way::Direct,
        }
    }

    /// A message about a connection, with the database's own name in place of an address that the
    /// reader never wrote, and what the tunnel's far end said.
    pub(crate) fn explain(&self, message: &str) -> String {
        let dialled = format!("{}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port());
        let mut text = message.replace(&dialled, &self.host);
        if let Some(trouble) = self.tunnel.as_ref().and_then(Tunnel::trouble) {
            text.push_str(&format!(" ({trouble})"));
        }
        text
    }
}

/// Where the database is, as the stack writes it.
struct Target {
    host: String,
    port: u16,
    /// Whether addresses of containers cannot be reached from here.
    inside: bool,
}

impl Target {
    async fn of_the_stack(
        &self,
        opts: Opts,
        service: &ServiceName,
        replica: &Replica,
        engine: &Engine,
    ) -> Result<Access, AccessError> {
        if let (false, Some(address)) = (self.inside, replica.address) {
            let address = SocketAddr::new(address, self.port);
            match dial(&address.ip().to_string(), self.port, NEAR).await {
                Ok(()) => {
                    return Ok(self.access(&opts, &address.ip().to_string(), self.port, None));
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    return Err(AccessError::Refused(service.clone(), address));
                }
                // There is no route, as with an engine in a virtual machine.
                Err(_) => {}
            }
        }
        // From its own container, by the address that others use: the server then sees no
        // `localhost`, which may be another account.
        let host = replica
            .address
            .map_or_else(|| self.host.clone(), |address| address.to_string());
        self.through(opts, replica, &host, engine).await
    }

    async fn elsewhere(
        &self,
        opts: Opts,
        migrations: &Migrations,
        through: Option<&Replica>,
        engine: &Engine,
    ) -> Result<Access, AccessError> {
        match (dial(&self.host, self.port, FAR).await, through) {
            (Ok(()), _) => Ok(self.access(&opts, &self.host, self.port, None)),
            (Err(_), Some(replica)) => self.through(opts, replica, &self.host, engine).await,
            (Err(error), None) => Err(AccessError::NoWay {
                host: format!("{}:{}", self.host, self.port),
                cause: error.to_string(),
                service: migrations.service.clone(),
            }),
        }
    }

    async fn through(
        &self,
        opts: Opts,
        replica: &Replica,
        host: &str,
        engine: &Engine,
    ) -> Result<Access, AccessError> {
        let tunnel = engine.tunnel(&replica.container, host, self.port).await?;
        let address = tunnel.address();
        Ok(self.access(
            &opts,
            &address.ip().to_string(),
            address.port(),
            Some(tunnel),
        ))
    }

    fn access(&self, opts: &Opts, host: &str, port: u16, tunnel: Option<Tunnel>) -> Access {
        let mut builder = OptsBuilder::from_opts(opts.clone())
            .ip_or_hostname(host)
            .tcp_port(port)
            // The driver would look for a socket file on loopback addresses.
            .prefer_socket(false);
        if let Some(tls) = opts.ssl_opts()
            && tls.tls_hostname_override().is_none()
        {
            // The certificate bears the name, not the address that was dialled.
            let named = tls
                .clone()
                .with_danger_tls_hostname_override(Some(self.host.clone()));
            builder = builder.ssl_opts(named);
        }
        Access {
            opts: builder.into(),
            host: format!("{}:{}", self.host, self.port),
            tunnel,
        }
    }
}

/// A service with a certificate is asked for it. Whom to trust is read from its container, where the
/// project put it; one that was made before it had any is spoken to as it can be.
async fn with_authority(
    opts: Opts,
    service: &Service,
    replica: &Replica,
    engine: &Engine,
) -> Result<Opts, AccessError> {
    let Some(tls) = service.tls.as_ref().filter(|tls| tls.certificate) else {
        return Ok(opts);
    };
    let path = format!("{}/ca.pem", tls.dir.trim_end_matches('/'));
    let Some(authorities) = engine.read_file(&replica.container, &path).await? else {
        return Ok(opts);
    };
    let asked = opts.ssl_opts().cloned().unwrap_or_default();
    let asked = asked
        .with_root_certs(vec![authorities.into()])
        .with_disable_built_in_roots(true);
    Ok(OptsBuilder::from_opts(opts).ssl_opts(asked).into())
}

fn running<'a>(observed: &'a Observed, service: &'a ServiceName) -> Option<&'a Replica> {
    observed
        .replicas_of(service)
        .find(|replica| replica.is_running())
}

/// Whether a connection can be made.
async fn dial(host: &str, port: u16, within: Duration) -> std::io::Result<()> {
    timeout(within, TcpStream::connect((host, port)))
        .await
        .map_err(|_| std::io::Error::from(ErrorKind::TimedOut))?
        .map(drop)
}
