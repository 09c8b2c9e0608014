//! `[migrations]`.

use sysndd_migrator::Gaps;

use super::{directory, service_ref};
use crate::config::{
    read::{Kind, Table, boolean, choice, text, then},
    stack::{MigrationFiles, Migrations},
};

/// As they are written.
pub(in crate::config) const GAPS: &[(&str, Gaps)] = &[("allow", Gaps::Allow), ("deny", Gaps::Deny)];

pub(super) fn migrations(t: &mut Table<'_, '_>) -> Option<Migrations> {
    let service = t.required("service", "The service that applies them.", service_ref());
    let database = t.required(
        "database",
        "Where the ledger is: mysql://user:password@host:port/database; the host is a service, or has a dot in its name.",
        then(text(), |url, place, pass| {
            let exposed = url.expose();
            match host(&exposed) {
                // A service's name has no dot.
                Some(host) if host.contains('.') || pass.defines(Kind::Service, host) => {}
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
    let files = files(t);
    Some(Migrations {
        service: service?,
        database: database?,
        files: files?,
    })
}

/// The same table, for those who only look at the files: what else is in it may be at fault.
pub(super) fn files_alone(t: &mut Table<'_, '_>) -> Option<MigrationFiles> {
    t.leave(["service", "database"]);
    files(t)
}

fn files(t: &mut Table<'_, '_>) -> Option<MigrationFiles> {
    let dir = t.required(
        "dir",
        "Directory of the files.",
        directory("migrations directory"),
    );
    let require_engine = t.optional(
        "require_engine",
        "`migrate lint` finds a CREATE TABLE that does not name its engine. Default: false.",
        boolean(),
    );
    let require_charset = t.optional(
        "require_charset",
        "`migrate lint` finds a CREATE TABLE that does not name its character set. Default: false.",
        boolean(),
    );
    let gaps = t.optional(
        "gaps",
        "Numbers that are left out. Default: `migrate lint` finds them, everything else allows them.",
        choice(GAPS),
    );
    Some(MigrationFiles {
        dir: dir?,
        require_engine: require_engine.unwrap_or(false),
        require_charset: require_charset.unwrap_or(false),
        gaps,
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
