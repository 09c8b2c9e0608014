//! `tls` of a service.

use serde_json::json;

use super::{container_path, owner};
use crate::config::{
    grammar,
    read::{Parsed, Problem, Table, boolean, late_text, list, map, parsed, plain},
    stack::Tls,
};

pub(super) fn tls(t: &mut Table<'_, '_>) -> Option<Tls> {
    let dir = t.required(
        "dir",
        "Directory in its containers, with ca.pem, cert.pem and key.pem.",
        container_path(),
    );
    let certificate = t.optional(
        "certificate",
        "Whether it gets a certificate of its own, cert.pem and key.pem; who only asks others needs ca.pem alone. Default: true.",
        boolean(),
    );
    let names = t.optional(
        "names",
        "In its certificate, beside the name of the service: names and addresses.",
        list(name()),
    );
    let owner = t.optional(
        "owner",
        "Who may read key.pem, in numbers: \"999:999\". Default: the service's user.",
        owner(),
    );
    let arguments = t.optional("arguments", "Added to its command.", list(plain()));
    let environment = t.optional(
        "environment",
        "Environment variables beside the service's.",
        map(grammar::variable, grammar::VARIABLE_PATTERN, late_text()),
    );
    let reload = t.optional(
        "reload",
        "Run in its replicas when their files were renewed. Default: nothing; a restart is needed then.",
        list(plain()),
    );
    let certificate = certificate.unwrap_or(true);
    if !certificate {
        for key in t.written(["names", "owner"]) {
            t.fault(
                key,
                format!("`{key}` has no effect without a certificate"),
                "take it away, or `certificate = false`",
            );
        }
    }
    if reload.as_ref().is_some_and(Vec::is_empty) {
        t.fault(
            "reload",
            "`reload` is not a command",
            "write [\"program\", \"argument\"]",
        );
    }
    Some(Tls {
        dir: dir?,
        certificate,
        names: names.unwrap_or_default(),
        owner,
        arguments: arguments.unwrap_or_default(),
        environment: super::service::without_secrets(environment.unwrap_or_default()),
        reload,
    })
}

/// A name of a host, or an address.
fn name() -> Parsed<String> {
    parsed(
        json!({ "type": "string", "examples": ["db.example.org", "10.0.0.7"] }),
        |text| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-.:*".contains(c);
            if !text.is_empty() && text.len() <= 253 && text.chars().all(is_part) {
                Ok(text.to_owned())
            } else {
                Err(Problem::new(
                    format!("`{text}` is not the name or the address of a host"),
                    "write db.example.org or 10.0.0.7",
                ))
            }
        },
    )
}
