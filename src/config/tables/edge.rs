//! `[edge]`.

use super::{endpoint, existing_file, port_number, service_ref, signal, volume_ref};
use crate::config::{
    grammar,
    read::{Table, list, parsed, plain, whole_table},
    stack::Edge,
};

pub(super) fn edge(t: &mut Table<'_, '_>) -> Option<Edge> {
    let service = t.required("service", "The service that proxies.", service_ref());
    let entrance = t.optional(
        "entrance",
        "The service that publishes the port for it and hands it the socket; itself when absent.",
        service_ref(),
    );
    let upstream = t.required("upstream", "The service that it proxies to.", service_ref());
    let port = t.required(
        "port",
        "Where the upstream's replicas listen.",
        port_number(),
    );
    let template = t.required(
        "template",
        "Template of the upstream list.",
        existing_file("template"),
    );
    let maintenance = t.optional(
        "maintenance",
        "Template of the page that is served under maintenance; written into the volume as maintenance.html.",
        existing_file("template"),
    );
    let volume = t.required(
        "volume",
        "The volume that the list is written into.",
        volume_ref(),
    );
    let file = t.required(
        "file",
        "The list's name in the volume.",
        parsed(serde_json::json!({ "type": "string" }), grammar::file_name),
    );
    let test = t.required(
        "test",
        "Run inside the edge before a reload; anything but exit 0 keeps the old list.",
        list(plain()),
    );
    let reload_signal = t.required("reload_signal", "Makes the edge read the list.", signal());
    let worker_process = t.optional(
        "worker_process",
        "Part of the title of the processes that answer requests; those of before a reload are waited for before replicas that left the list end. Default: not waited for.",
        plain(),
    );
    let generation = t.required(
        "generation",
        "Answers with the number of the list that is in force: { port, path }.",
        whole_table(endpoint),
    );
    let public_url = t.optional(
        "public_url",
        "The site's address as its users have it; up, status and quickstart print it. Port 0 stands for the one that the engine picked. Default: where the port is published.",
        parsed(
            serde_json::json!({ "type": "string", "pattern": "^(https?://|.*\\$\\{)" }),
            grammar::site_url,
        ),
    );
    if let (Some(service), Some(upstream)) = (&service, &upstream)
        && service == upstream
    {
        let message = format!("`{service}` cannot proxy to itself");
        t.fault(
            "upstream",
            message,
            "name the service whose replicas answer",
        );
    }
    if let (Some(entrance), Some(upstream)) = (&entrance, &upstream)
        && entrance == upstream
    {
        let message = format!("`{entrance}` cannot be entrance and upstream");
        t.fault(
            "entrance",
            message,
            "name the service that publishes the edge's port",
        );
    }
    Some(Edge {
        service: service?,
        entrance,
        upstream: upstream?,
        port: port?,
        template: template?,
        maintenance,
        volume: volume?,
        file: file?,
        test: test?,
        reload_signal: reload_signal?,
        worker_process,
        generation: generation?,
        public_url,
    })
}
