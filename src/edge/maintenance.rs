//! What the edge's volume holds of maintenance: whether it is on, and what users are told. The edge
//! serves the two answers by these names when its list says so.

use serde_json::json;
use tera::{Context, Tera};

use super::{EdgeError, chain, directory};
use crate::{
    config::{Edge, Stack},
    docker::{ArchiveEntry, Engine, EngineError},
    plan::Maintenance,
};

/// For browsers.
const PAGE: &str = "maintenance.html";
/// For programs.
const PROBLEM: &str = "maintenance.json";
/// For this program: `null` when it is off.
const STATE: &str = "maintenance-state.json";

/// The page, by the template that `edge` names.
fn page(template: &str, maintenance: &Maintenance) -> Result<String, tera::Error> {
    let mut tera = Tera::default();
    // The ending of the name makes Tera escape what is put in.
    tera.add_raw_template(PAGE, template)?;
    let mut context = Context::new();
    context.insert("message", &maintenance.message);
    context.insert("retry_after", &maintenance.retry_after);
    tera.render(PAGE, &context)
}

/// RFC 9457.
fn problem(maintenance: &Maintenance) -> String {
    let problem = json!({
        "type": "about:blank",
        "title": "Under maintenance",
        "status": 503,
        "detail": maintenance.message,
        "retry_after": maintenance.retry_after,
    });
    format!("{problem}\n")
}

/// Writes whether maintenance is on, and what users are told.
pub(crate) async fn write_maintenance(
    engine: &Engine,
    stack: &Stack,
    edge: &Edge,
    container: &str,
    maintenance: Option<&Maintenance>,
) -> Result<(), EdgeError> {
    let state = serde_json::to_string(&maintenance)
        .unwrap_or_else(|error| unreachable!("it has text and numbers only: {error}"));
    let mut files = Vec::new();
    if let (Some(maintenance), Some(path)) = (maintenance, &edge.maintenance) {
        let file = path.display().to_string();
        let fault = |cause: String| EdgeError::Template {
            file: file.clone(),
            cause,
        };
        let template = std::fs::read_to_string(stack.root.join(path))
            .map_err(|error| fault(error.to_string()))?;
        let page = page(&template, maintenance).map_err(|error| fault(chain(&error)))?;
        files.push((PAGE, page));
        files.push((PROBLEM, problem(maintenance)));
    }
    files.push((STATE, state));
    let entries: Vec<ArchiveEntry> = files
        .iter()
        .map(|(path, content)| ArchiveEntry::File {
            path,
            content: content.as_bytes(),
            mode: 0o644,
            uid: 0,
            gid: 0,
        })
        .collect();
    let directory = directory(stack, edge);
    Ok(engine.put_archive(container, &directory, &entries).await?)
}

/// Whether maintenance is on, also of an edge that does not run.
pub(crate) async fn read_maintenance(
    engine: &Engine,
    stack: &Stack,
    edge: &Edge,
    container: &str,
) -> Result<Option<Maintenance>, EngineError> {
    if edge.maintenance.is_none() {
        return Ok(None);
    }
    let path = format!("{}/{STATE}", directory(stack, edge));
    let Some(content) = engine.read_file(container, &path).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&content).map_err(|error| EngineError::Other {
        doing: format!("reading {path} of {container}"),
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn what_users_are_told_cannot_break_out_of_the_page() {
        let template = include_str!("../../templates/maintenance.html.tera");
        let maintenance = Maintenance {
            message: "<b>back</b> at \"noon\" & later".to_owned(),
            retry_after: 120,
            since: Utc::now(),
            by: "ana".to_owned(),
        };
        let page = page(template, &maintenance).unwrap();
        assert!(page.contains("&lt;b&gt;back"), "{page}");
        assert!(page.contains("content=\"120\""), "{page}");
        let problem: serde_json::Value = serde_json::from_str(&problem(&maintenance)).unwrap();
        assert_eq!(problem["detail"], maintenance.message);
    }
}
