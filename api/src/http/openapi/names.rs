//! Names of operations.

use utoipa::openapi::OpenApi;

/// Gives each operation a name of its own, from method and path: handlers are called `list` in more
/// than one file, and programs that are generated from the document need each name once.
pub(super) fn give(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let words: Vec<String> = path
            .split(['/', '.'])
            .filter(|word| !word.is_empty() && *word != "api")
            .map(|word| match word.strip_prefix('{') {
                Some(name) => format!("by_{}", name.trim_end_matches('}')),
                None => word.to_owned(),
            })
            .collect();
        let words = words.join("_");
        for (method, operation) in [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ] {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{words}"));
            }
        }
    }
}
