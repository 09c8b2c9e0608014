//! The database: where it is, how long to wait for it, how many connections to hold.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, SslOpts, UrlError};

use super::Source;
use super::source::{count, duration};
use super::weak::weakness;

/// Of the password.
const SHORTEST: usize = 12;

const HINT: &str = "give mysql://user:password@host:3306/database, with every character of the \
                    password that is not a letter or a digit percent-encoded";

/// The database settings.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// `SYSNDD_DATABASE_URL`, else `DATABASE_URL`.
    pub(crate) url: DatabaseUrl,
    /// `SYSNDD_DB_CONNECT_WAIT`: how long a database that does not answer may take to start.
    pub(crate) connect_wait: Duration,
    /// `SYSNDD_DB_POOL_MAX`: connections that requests may hold at once.
    pub(crate) pool_max: usize,
    /// `SYSNDD_DB_ACQUIRE_TIMEOUT`: how long a request may wait for one of them.
    pub(crate) acquire_timeout: Duration,
    /// `SYSNDD_DB_POOL_MIN`: connections that stay open.
    pub(crate) pool_min: usize,
}

impl Database {
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        let url = DatabaseUrl::read(source);
        if let Some(url) = &url {
            url.check_password(source);
        }
        let pool_max = source.value("SYSNDD_DB_POOL_MAX", 8, count(1..=1000));
        let pool_min = source.value("SYSNDD_DB_POOL_MIN", pool_max.min(2), count(0..=1000));
        if pool_min > pool_max {
            source.fault(
                "SYSNDD_DB_POOL_MIN",
                "must not be greater than SYSNDD_DB_POOL_MAX",
            );
        }
        let connect_wait = source.value("SYSNDD_DB_CONNECT_WAIT", Duration::from_mins(1), duration);
        let acquire_timeout = source.value(
            "SYSNDD_DB_ACQUIRE_TIMEOUT",
            Duration::from_secs(1),
            duration,
        );
        Some(Self {
            url: url?,
            connect_wait,
            acquire_timeout,
            pool_max,
            pool_min,
        })
    }
}

/// A checked `mysql://` address. Shows itself without the password, in `Debug` as well.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    opts: Opts,
    /// `SYSNDD_DB_CA`.
    authority: Option<PathBuf>,
    /// Where it was read.
    variable: &'static str,
}

impl DatabaseUrl {
    /// Reads the address; notes a fault when there is none or it is not one.
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        let own = source
            .text("SYSNDD_DATABASE_URL")
            .map(|text| ("SYSNDD_DATABASE_URL", text));
        let hosted = source
            .text("DATABASE_URL")
            .map(|text| ("DATABASE_URL", text));
        let Some((variable, text)) = own.or(hosted) else {
            source.fault(
                "SYSNDD_DATABASE_URL",
                format!(
                    "is not set; {HINT}, or name a file that holds it in SYSNDD_DATABASE_URL_FILE"
                ),
            );
            return None;
        };
        Self::given(source, variable, &text)
    }

    /// The address that an argument or a variable gives; notes a fault when it is none.
    pub(crate) fn given(source: &mut Source, variable: &'static str, text: &str) -> Option<Self> {
        let authority = Authority::read(source);
        match parse(text) {
            Ok(opts) => {
                let authority = authority?.path;
                Some(Self {
                    opts: trusting(opts, authority.clone()),
                    authority,
                    variable,
                })
            }
            Err(message) => {
                source.fault(variable, message);
                None
            }
        }
    }

    /// Reads the address that this variable must hold.
    pub(crate) fn require(source: &mut Source, variable: &'static str) -> Option<Self> {
        let Some(text) = source.text(variable) else {
            source.fault(variable, format!("is not set; {HINT}"));
            return None;
        };
        Self::given(source, variable, &text)
    }

    /// As the account that restores backups, which must be of the same database; nothing when there is none.
    pub(crate) fn read_restore(source: &mut Source, live: Option<&Self>) -> Option<Self> {
        const VARIABLE: &str = "SYSNDD_RESTORE_DATABASE_URL";
        let text = source.text(VARIABLE)?;
        let url = Self::given(source, VARIABLE, &text)?;
        if live.is_some_and(|live| live.opts.db_name() != url.opts.db_name()) {
            source.fault(VARIABLE, "names another database than SYSNDD_DATABASE_URL");
            return None;
        }
        url.check_password(source);
        Some(url)
    }

    /// A password that can be guessed is refused where the site is served, or restored, by it.
    fn check_password(&self, source: &mut Source) {
        if let Some(fault) = weakness(self.opts.pass().unwrap_or_default(), SHORTEST) {
            source.fault(self.variable, format!("its password {fault}"));
        }
    }

    /// Whether passwords and rows go over a network that others may listen on: nothing is encrypted, and the host is
    /// neither this machine nor a name that only a private network of containers knows.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        let host = self.opts.ip_or_hostname();
        let is_near = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => !host.contains('.'),
        };
        self.opts.ssl_opts().is_none() && !is_near
    }

    /// The file with whom to trust, for programs that are not the driver.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        self.authority.clone()
    }

    /// What the driver needs to connect.
    pub(crate) fn opts(&self) -> Opts {
        self.opts.clone()
    }
}

/// `SYSNDD_DB_CA`: whom to trust when the database shows its certificate.
struct Authority {
    path: Option<PathBuf>,
}

impl Authority {
    /// `None` when there is something wrong with it.
    fn read(source: &mut Source) -> Option<Self> {
        let Some(path) = source.text("SYSNDD_DB_CA").map(PathBuf::from) else {
            return Some(Self { path: None });
        };
        let fault = match std::fs::read_to_string(&path) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
                return Some(Self { path: Some(path) });
            }
            Ok(_) => format!("{} holds no certificate in PEM form", path.display()),
            Err(error) => format!("cannot read {}: {error}", path.display()),
        };
        source.fault("SYSNDD_DB_CA", fault);
        None
    }
}

/// With an authority, every connection is encrypted, and the certificate must be signed by it and
/// bear the name of the host.
fn trusting(opts: Opts, authority: Option<PathBuf>) -> Opts {
    let Some(path) = authority else {
        return opts;
    };
    let tls = SslOpts::default()
        .with_root_certs(vec![path.into()])
        .with_disable_built_in_roots(true);
    OptsBuilder::from_opts(opts).ssl_opts(tls).into()
}

/// Parses an address. The message of a failure repeats no part of it.
fn parse(text: &str) -> Result<Opts, String> {
    let opts = Opts::from_url(text.trim()).map_err(|error| match error {
        UrlError::UnsupportedScheme { .. } => format!("does not begin with mysql://; {HINT}"),
        UrlError::UnknownParameter { .. } => {
            "has a parameter after `?` that is not known; TLS is asked for with require_ssl=true"
                .to_owned()
        }
        UrlError::InvalidParamValue { .. }
        | UrlError::InvalidPoolConstraints { .. }
        | UrlError::FeatureRequired { .. } => {
            "has a parameter after `?` with a value that does not fit".to_owned()
        }
        UrlError::Invalid | UrlError::Parse(_) => format!("is not a database address; {HINT}"),
    })?;
    let database = opts.db_name().unwrap_or_default();
    // A stray `/` in a password makes its rest the name of the database, and that is shown.
    if database.is_empty()
        || !database
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_$-".contains(&b))
    {
        return Err(format!(
            "names no database after the host, or one that cannot be; {HINT}"
        ));
    }
    Ok(OptsBuilder::from_opts(opts)
        // The driver would look for a socket file on loopback addresses and reconnect.
        .prefer_socket(false)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .into())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opts = &self.opts;
        write!(
            f,
            "mysql://{}@{}:{}/{}",
            opts.user().unwrap_or_default(),
            opts.ip_or_hostname(),
            opts.tcp_port(),
            opts.db_name().unwrap_or_default()
        )
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
