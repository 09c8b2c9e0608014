//! What is alike in all resources is said once: how they refuse, and as what.

use utoipa::openapi::path::{HttpMethod, Operation, ParameterIn};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};

const PROBLEM: &str = "#/components/schemas/Problem";
const PROBLEM_JSON: &str = "application/problem+json";

/// Adds to each operation the refusals that it shares with its like, and gives all their kind.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                refusals(path, &method, operation);
                kinds(operation);
            }
        }
    }
}

fn refusals(path: &str, method: &HttpMethod, operation: &mut Operation) {
    // Health answers whatever happens, to whoever asks.
    if path.starts_with("/api/health") {
        return;
    }
    let mut refusals = vec![(
        "503",
        "Something that this needs does not answer, or not in time",
    )];
    if *method != HttpMethod::Get {
        refusals.extend([
            (
                "403",
                "A browser asks from another site's page, or the account may not do this",
            ),
            (
                "429",
                "Too much, too fast; `Retry-After` says when to try again",
            ),
        ]);
    }
    let mut parameters = operation.parameters.iter().flatten();
    let has_query = parameters
        .any(|one| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query));
    if operation.parameters.is_some() || operation.request_body.is_some() {
        refusals.push(("400", "The request cannot be read"));
    }
    if has_query || operation.request_body.is_some() {
        refusals.push(("422", "Values are refused"));
    }
    if operation.request_body.is_some() {
        refusals.extend([
            ("413", "The body is longer than `SYSNDD_MAX_BODY_BYTES`"),
            ("415", "The body is not `application/json`"),
        ]);
    }
    for (status, description) in refusals {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem(description)));
    }
}

fn problem(description: &str) -> Response {
    let content = Content::new(Some(RefOr::<Schema>::Ref(Ref::new(PROBLEM))));
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, content)
        .build()
}

/// Problems are `application/problem+json`, wherever they are named.
fn kinds(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        let is_problem = |content: &RefOr<Content>| {
            let RefOr::T(Content {
                schema: Some(RefOr::Ref(schema)),
                ..
            }) = content
            else {
                return false;
            };
            schema.ref_location == PROBLEM
        };
        for (kind, content) in std::mem::take(&mut response.content) {
            let kind = if is_problem(&content) {
                PROBLEM_JSON.to_owned()
            } else {
                kind
            };
            response.content.insert(kind, content);
        }
    }
}
