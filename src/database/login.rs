//! Who one is at the stack's database, for a client in its container.

use std::fmt;

use mysql_async::Opts;

use super::AccessError;
use crate::config::Migrations;

/// What `migrations.database` says.
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) password: String,
    port: u16,
    user: String,
    database: Option<String>,
}

impl Login {
    /// # Errors
    /// [`AccessError::Url`], when it is not the URL of a database.
    pub(crate) fn of(migrations: &Migrations) -> Result<Self, AccessError> {
        // The driver's own words may repeat a part of the URL.
        let opts = Opts::from_url(&migrations.database.expose())
            .map_err(|_| AccessError::Url(migrations.database.masked()))?;
        Ok(Self {
            host: opts.ip_or_hostname().to_owned(),
            password: opts.pass().unwrap_or_default().to_owned(),
            port: opts.tcp_port(),
            user: opts.user().unwrap_or_default().to_owned(),
            database: opts.db_name().map(str::to_owned),
        })
    }

    /// The client, connecting as replicas do: by the service's name, since an account for
    /// `localhost` may be another one. Without the password.
    pub(crate) fn client(&self, arguments: &[String]) -> Vec<String> {
        let mut command = vec![
            "mysql".to_owned(),
            "--protocol=tcp".to_owned(),
            format!("--host={}", self.host),
            format!("--port={}", self.port),
            format!("--user={}", self.user),
            "--default-character-set=utf8mb4".to_owned(),
        ];
        command.extend(
            self.database
                .iter()
                .map(|name| format!("--database={name}")),
        );
        command.extend_from_slice(arguments);
        command
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password.
        write!(f, "Login({}@{}:{})", self.user, self.host, self.port)
    }
}
