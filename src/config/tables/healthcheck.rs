//! `healthcheck` of a service.

use std::time::Duration;

use super::{duration, endpoint, port_number};
use crate::config::{
    read::{Table, integer, list, plain, whole_table},
    stack::{EngineHealthcheck, Healthcheck, Probe},
};

// The engine's own defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;

pub(super) fn healthcheck(t: &mut Table<'_, '_>) -> Healthcheck {
    let http = t.optional(
        "http",
        "Ready when GET answers 2xx: { port, path }.",
        whole_table(endpoint),
    );
    let tcp = t.optional(
        "tcp",
        "Ready when a connection stands: { port }.",
        whole_table(tcp),
    );
    let test = t.optional(
        "test",
        "What the engine runs for ever: [\"CMD\", …] or [\"CMD-SHELL\", \"…\"].",
        list(plain()),
    );
    let interval = t.optional("interval", "Between two tests. Default: 30s.", duration());
    let timeout = t.optional(
        "timeout",
        "How long a test may take. Default: 30s.",
        duration(),
    );
    let retries = t.optional(
        "retries",
        "Failures in a row that make it unhealthy. Default: 3.",
        integer(1..=1000),
    );
    let start_period = t.optional(
        "start_period",
        "After the start, failures do not count. Default: 0s.",
        duration(),
    );

    if t.written(["http", "tcp"]).len() > 1 {
        t.fault(
            "tcp",
            "readiness is asked by `http` or by `tcp`, not by both",
            "take one away",
        );
    }
    if t.written(["test"]).is_empty() {
        for key in t.written(["interval", "timeout", "retries", "start_period"]) {
            t.fault(
                key,
                format!("`{key}` has no effect without `test`"),
                "add a `test`, or take it away",
            );
        }
    }
    if let Some(test) = &test
        && !matches!(test.first().map(String::as_str), Some("CMD") if test.len() > 1)
        && !matches!(test.first().map(String::as_str), Some("CMD-SHELL") if test.len() == 2)
    {
        t.fault(
            "test",
            "`test` is not a command",
            "write [\"CMD\", \"program\", \"argument\"] or [\"CMD-SHELL\", \"one line of shell\"]",
        );
    }
    let http = http.map(|at| Probe::Http {
        port: at.port,
        path: at.path,
    });
    Healthcheck {
        probe: http.or(tcp),
        engine: test.map(|test| EngineHealthcheck {
            test,
            interval: interval.unwrap_or(INTERVAL),
            timeout: timeout.unwrap_or(TIMEOUT),
            retries: retries.unwrap_or(RETRIES),
            start_period: start_period.unwrap_or_default(),
        }),
    }
}

fn tcp(t: &mut Table<'_, '_>) -> Option<Probe> {
    let port = t.required("port", "Port inside the container.", port_number());
    Some(Probe::Tcp { port: port? })
}
