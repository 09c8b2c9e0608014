//! `[verify]`.

use std::time::Duration;

use super::{container_path, duration, service_ref, url_path};
use crate::config::{
    read::{Table, integer, whole_table},
    stack::{Favicon, Verify, VerifyData, VerifyWeb},
};

impl Default for Verify {
    fn default() -> Self {
        Self {
            startup_budget: Duration::from_secs(30),
            start_spread: Duration::from_secs(2),
            data: None,
            web: None,
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
    let default = Verify::default();
    Verify {
        startup_budget: startup_budget.unwrap_or(default.startup_budget),
        start_spread: start_spread.unwrap_or(default.start_spread),
        data,
        web,
    }
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
    Some(VerifyWeb {
        index: index?,
        favicon,
        health,
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
