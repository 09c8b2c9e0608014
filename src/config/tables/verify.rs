//! `[verify]`.

use std::time::Duration;

use super::{container_path, duration, port_number, service_ref, url_path};
use crate::config::{
    read::{Table, boolean, integer, list, plain, whole_table},
    stack::{
        Favicon, Verify, VerifyBody, VerifyCanary, VerifyData, VerifyDatabase, VerifyMail,
        VerifyMetrics, VerifyObservability, VerifyRate, VerifySecurity, VerifyWeb,
    },
};

/// For an operator, a backup, and a look at the ledger.
const RESERVE: u32 = 10;
const PARALLEL: u32 = 16;
const WITHIN: Duration = Duration::from_secs(5);
/// Long enough to say that there is no limit, and no burden.
const RATE_REQUESTS: u32 = 60;
const MAX_BODY: u64 = 64 * 1024 * 1024;

impl Default for Verify {
    fn default() -> Self {
        Self {
            startup_budget: Duration::from_secs(30),
            start_spread: Duration::from_secs(2),
            data: None,
            web: None,
            database: None,
            security: None,
            mail: None,
            observability: None,
        }
    }
}

pub(super) fn verify(t: &mut Table<'_, '_>) -> Verify {
    let startup_budget = t.optional(
        "startup_budget",
        "From a replica's start to ready. Default: 30s.",
        duration(),
    );
    let start_spread = t.optional(
        "start_spread",
        "Between the first and the last replica's start. Default: 2s.",
        duration(),
    );
    let data = t.optional(
        "data",
        "The directory that all replicas of a service share.",
        whole_table(data),
    );
    let web = t.optional("web", "Paths that the edge must serve.", whole_table(web));
    let database = t.optional(
        "database",
        "What is asked of the database and of those who use it.",
        whole_table(database),
    );
    let security = t.optional(
        "security",
        "What must be refused, and where that is tried.",
        whole_table(security),
    );
    let mail = t.optional(
        "mail",
        "How a letter is sent, and where it must arrive.",
        whole_table(mail),
    );
    let observability = t.optional(
        "observability",
        "What replicas tell about themselves.",
        whole_table(observability),
    );
    let default = Verify::default();
    Verify {
        startup_budget: startup_budget.unwrap_or(default.startup_budget),
        start_spread: start_spread.unwrap_or(default.start_spread),
        data,
        web,
        database,
        security,
        mail,
        observability,
    }
}

fn database(t: &mut Table<'_, '_>) -> Option<VerifyDatabase> {
    let reserve = t.optional(
        "reserve",
        "Connections that the replicas' pools leave to others. Default: 10.",
        integer(0..=100_000),
    );
    let tls = t.optional(
        "tls",
        "Whether connections must be encrypted. Default: false.",
        boolean(),
    );
    let path = t.optional(
        "path",
        "A path of the migrating service that reads the database, asked of every replica many times at once.",
        url_path(),
    );
    let parallel = t.optional(
        "parallel",
        "How often at once, of each replica. Default: 16.",
        integer(1..=1000),
    );
    let within = t.optional(
        "within",
        "How long the slowest of these answers may take; at most 5s. Default: 5s.",
        duration(),
    );
    if within.is_some_and(|within| within > WITHIN) {
        t.fault(
            "within",
            "`within` is longer than 5s, after which `verify` does not wait any more",
            "write 5s or less",
        );
        return None;
    }
    Some(VerifyDatabase {
        reserve: reserve.unwrap_or(RESERVE),
        tls: tls.unwrap_or(false),
        path,
        parallel: parallel.unwrap_or(PARALLEL),
        within: within.unwrap_or(WITHIN),
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what reads a whole table may refuse it"
)]
fn security(t: &mut Table<'_, '_>) -> Option<VerifySecurity> {
    let root = t.optional(
        "root",
        "Services whose processes may be root's. Default: none.",
        list(service_ref()),
    );
    let canary = t.optional(
        "canary",
        "A request with a secret that is none, which must not appear in a log: { path, body }.",
        whole_table(canary),
    );
    let rate = t.optional(
        "rate",
        "A path that one address may not ask too often: { path, requests, other, configured }.",
        whole_table(rate),
    );
    let body = t.optional(
        "body",
        "How long the body of a request may be: { path, replica, edge }.",
        whole_table(body),
    );
    let cors = t.optional(
        "cors",
        "A path of the edge's upstream that pages of other sites must not read.",
        url_path(),
    );
    Some(VerifySecurity {
        root: root.unwrap_or_default(),
        canary,
        rate,
        body,
        cors,
    })
}

fn canary(t: &mut Table<'_, '_>) -> Option<VerifyCanary> {
    let path = t.required("path", "Where it is posted.", url_path());
    let body = t.required("body", "JSON; {canary} stands for the secret.", plain());
    if body.as_ref().is_some_and(|body| !body.contains("{canary}")) {
        t.fault(
            "body",
            "`body` has no {canary}: no secret would be sent, and none be missed in the logs",
            "write {canary} in the place of a password",
        );
        return None;
    }
    Some(VerifyCanary {
        path: path?,
        body: body?,
    })
}

fn rate(t: &mut Table<'_, '_>) -> Option<VerifyRate> {
    let path = t.required("path", "Where empty objects are posted.", url_path());
    let requests = t.optional(
        "requests",
        "One of so many, sent at once, must be refused. Default: 60.",
        integer(2..=1000),
    );
    let other = t.required("other", "A path that answers all the same.", url_path());
    let configured = t.optional(
        "configured",
        "Paths with a limit too wide to be reached: it is looked for in what `web.configuration` prints.",
        list(url_path()),
    );
    Some(VerifyRate {
        path: path?,
        requests: requests.unwrap_or(RATE_REQUESTS),
        other: other?,
        configured: configured.unwrap_or_default(),
    })
}

fn body(t: &mut Table<'_, '_>) -> Option<VerifyBody> {
    let path = t.required("path", "Where it is posted.", url_path());
    let replica = t.required(
        "replica",
        "Bytes that a replica takes.",
        integer(1..=MAX_BODY),
    );
    let edge = t.required("edge", "Bytes that the edge takes.", integer(1..=MAX_BODY));
    Some(VerifyBody {
        path: path?,
        replica: replica?,
        edge: edge?,
    })
}

fn observability(t: &mut Table<'_, '_>) -> Option<VerifyObservability> {
    let service = t.required("service", "Whose replicas.", service_ref());
    let metrics = t.optional(
        "metrics",
        "Metrics in the text format of Prometheus or OpenMetrics: { path, names }.",
        whole_table(metrics),
    );
    let log_keys = t.optional(
        "log_keys",
        "What every line of their logs, a JSON object, must have.",
        list(plain()),
    );
    Some(VerifyObservability {
        service: service?,
        metrics,
        log_keys: log_keys.unwrap_or_default(),
    })
}

fn mail(t: &mut Table<'_, '_>) -> Option<VerifyMail> {
    let service = t.required(
        "service",
        "In whose replica the command is run.",
        service_ref(),
    );
    let command = t.required("command", "Sends a letter to {address}.", list(plain()));
    let catcher = t.required(
        "catcher",
        "The service that takes all mail; it may be part of some profiles only.",
        service_ref(),
    );
    let port = t.required("port", "Where it answers HTTP.", port_number());
    let paths = t.required(
        "paths",
        "One of them lists what it took, addresses included.",
        list(url_path()),
    );
    let sends = |words: &Vec<String>| words.iter().any(|word| word.contains("{address}"));
    if command.as_ref().is_some_and(|words| !sends(words)) {
        t.fault(
            "command",
            "`command` has no {address}: the letter could not be told from others",
            "write {address} where the address belongs",
        );
        return None;
    }
    Some(VerifyMail {
        service: service?,
        command: command?,
        catcher: catcher?,
        port: port?,
        paths: paths?,
    })
}

fn metrics(t: &mut Table<'_, '_>) -> Option<VerifyMetrics> {
    let path = t.required("path", "Where a replica answers them.", url_path());
    let names = t.optional("names", "Names that must be among them.", list(plain()));
    Some(VerifyMetrics {
        path: path?,
        names: names.unwrap_or_default(),
    })
}

fn data(t: &mut Table<'_, '_>) -> Option<VerifyData> {
    let service = t.required("service", "Whose replicas.", service_ref());
    let path = t.required("path", "Directory inside the container.", container_path());
    Some(VerifyData {
        service: service?,
        path: path?,
    })
}

fn web(t: &mut Table<'_, '_>) -> Option<VerifyWeb> {
    let index = t.required("index", "Path of the first page.", url_path());
    let place = t.optional(
        "place",
        "A path inside the page that is no file: the page answers it, so that it can be linked to.",
        url_path(),
    );
    let favicon = t.optional(
        "favicon",
        "A PNG picture: { path, width, height }.",
        whole_table(favicon),
    );
    let health = t.optional(
        "health",
        "A path that reaches the upstream through the edge.",
        url_path(),
    );
    let logged = t.optional(
        "logged",
        "Such a path whose requests a replica logs, with their ids and their clients' addresses.",
        url_path(),
    );
    let configuration = t.optional(
        "configuration",
        "A command, run in the edge, that prints its configuration as nginx -T does.",
        list(plain()),
    );
    Some(VerifyWeb {
        index: index?,
        place,
        favicon,
        health,
        logged,
        configuration: configuration.unwrap_or_default(),
    })
}

fn favicon(t: &mut Table<'_, '_>) -> Option<Favicon> {
    let path = t.required("path", "Where it is served.", url_path());
    let width = t.required("width", "Pixels.", integer(1..=65_535));
    let height = t.required("height", "Pixels.", integer(1..=65_535));
    Some(Favicon {
        path: path?,
        width: width?,
        height: height?,
    })
}
