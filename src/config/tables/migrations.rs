//! `[migrations]`.

use super::{directory, service_ref};
use crate::config::{
    read::{Kind, Table, list, plain, text, then},
    stack::Migrations,
};

pub(super) fn migrations(t: &mut Table<'_, '_>) -> Option<Migrations> {
    let service = t.required("service", "The service that applies them.", service_ref());
    let dir = t.required(
        "dir",
        "Directory of the files.",
        directory("migrations directory"),
    );
    let database = t.required(
        "database",
        "Where the ledger is: mysql://user:password@service:port/database.",
        then(text(), |url, place, pass| {
            let exposed = url.expose();
            match host(&exposed) {
                Some(host) if pass.defines(Kind::Service, host) => {}
                Some(host) => pass.refer(Kind::Service, host, place),
                None => pass.fault_at(
                    place,
                    "this is not the URL of a database of the stack",
                    "write mysql://user:${DB_PASSWORD}@service:3306/database",
                ),
            }
            Some(url)
        }),
    );
    let status_command = t.required(
        "status_command",
        "Run inside a replica where the database cannot be reached from here.",
        list(plain()),
    );
    Some(Migrations {
        service: service?,
        dir: dir?,
        database: database?,
        status_command: status_command?,
    })
}

/// Host of a `mysql://` URL that names a database.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("mysql://")?;
    let (authority, path) = rest.split_once('/')?;
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, address)| address);
    let host = address.split_once(':').map_or(address, |(host, _)| host);
    let database = path.split('?').next().unwrap_or_default();
    (!host.is_empty() && !database.is_empty()).then_some(host)
}
