use std::collections::BTreeSet;

use super::*;

/// A place in the file without the names that authors give: `services.*.ports[]`.
fn in_schema(schema: &Json, path: &str, out: &mut BTreeSet<String>) {
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        in_schema(alternative, path, out);
    }
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        in_schema(value, &path, out);
        out.insert(path);
    }
    if schema["additionalProperties"].is_object() {
        in_schema(&schema["additionalProperties"], &format!("{path}.*"), out);
    }
    if schema["items"].is_object() {
        in_schema(&schema["items"], &format!("{path}[]"), out);
    }
}

/// The smallest complaint of a value against a schema, by the keywords that ours uses.
fn complaint(schema: &Json, value: &Json, at: &str) -> Option<String> {
    if let Some(alternatives) = schema["anyOf"].as_array() {
        let mut complaints = alternatives
            .iter()
            .map(|schema| complaint(schema, value, at));
        if complaints.all(|complaint| complaint.is_some()) {
            return Some(format!("{at}: {value} is none of {alternatives:?}"));
        }
        return None;
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{at}: {value} is none of {words:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => return Some(format!("{at}: the schema says nothing: {schema}")),
    };
    let kind = match value {
        Json::String(_) => "string",
        Json::Number(number) if number.is_u64() => "integer",
        Json::Number(_) => "number",
        Json::Bool(_) => "boolean",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
        Json::Null => "null",
    };
    let fits = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    if !fits {
        return Some(format!("{at}: {value} is {kind}, not {types:?}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        return Some(format!("{at}: {text} does not match {pattern}"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            return Some(format!("{at}: {required} is missing"));
        }
    }
    for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(complaint) = complaint(&schema["items"], item, &format!("{at}[{nth}]")) {
            return Some(complaint);
        }
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        if let Some(pattern) = schema["propertyNames"]["pattern"].as_str()
            && !regex::Regex::new(pattern).unwrap().is_match(key)
        {
            return Some(format!("{at}: the name {key} does not match {pattern}"));
        }
        let of_key = match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Json::Null, Json::Bool(false)) => return Some(format!("{at}: {key} is unknown")),
            (Json::Null, additional) => additional,
            (of_key, _) => of_key,
        };
        if let Some(complaint) = complaint(of_key, item, &format!("{at}.{key}")) {
            return Some(complaint);
        }
    }
    None
}

fn as_json(toml: &str) -> Json {
    serde_json::to_value(toml.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn the_schema_says_this() {
    insta::assert_json_snapshot!(crate::config::schema());
}

#[test]
fn the_shipped_file_fits_the_schema() {
    assert_eq!(
        complaint(&crate::config::schema(), &as_json(SHIPPED), ""),
        None
    );
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = crate::config::schema();
    for broken in [
        SHIPPED.replace("project =", "projekt ="),
        SHIPPED.replace("replicas = 4", "replicas = \"four\""),
        SHIPPED.replace("source = \"auto\"", "source = \"car\""),
        SHIPPED.replace("depends_on = [\"db\"]", "depends_on = \"db\""),
        SHIPPED.replace("path = \"/healthz\"", "path = \"healthz\""),
        SHIPPED.replace("[volumes.data]", "[volumes.Data]"),
        SHIPPED.replace("reload_signal = \"SIGHUP\"", ""),
    ] {
        assert!(complaint(&schema, &as_json(&broken), "").is_some());
        assert!(read_in(&broken, &environment(SECRETS)).is_err());
    }
}

/// A file that uses every key there is. The schema comes from the same lines as the reader, so
/// what this guards against is a key that the reader takes only sometimes.
#[test]
fn every_key_of_the_schema_is_one_the_reader_takes() {
    let mut keys = BTreeSet::new();
    in_schema(&crate::config::schema(), "", &mut keys);
    let stack = stack(super::show::EVERYTHING);
    let written = as_json(super::show::EVERYTHING);
    let unused: Vec<_> = keys
        .iter()
        .filter(|key| !uses(&written, &key[1..]))
        .collect();
    assert!(unused.is_empty(), "EVERYTHING does not use {unused:?}");
    assert_eq!(stack.project.as_str(), "everything");
}

/// Whether a document has a value at a path of [`in_schema`].
fn uses(value: &Json, path: &str) -> bool {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (key, items) = match step.strip_suffix("[]") {
        Some(key) => (key, true),
        None => (step, false),
    };
    let found: Vec<&Json> = match key {
        "*" => value
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::values)
            .collect(),
        key => value.get(key).into_iter().collect(),
    };
    found.into_iter().any(|found| match (items, rest) {
        (_, "") => true,
        (true, rest) => found
            .as_array()
            .into_iter()
            .flatten()
            .any(|item| uses(item, rest)),
        (false, rest) => uses(found, rest),
    })
}
