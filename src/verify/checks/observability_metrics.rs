//! `observability.metrics`: every replica itself tells its metrics in a form that monitoring reads.

use std::collections::BTreeSet;

use futures::future;

use crate::{
    probe::Request,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "observability.metrics",
    suite: Suite::Observability,
    requirements: &["PD-2.2", "PD-2.5", "PD-7.5"],
    expected: "every replica answers metrics in the text format of Prometheus or OpenMetrics, the configured names among them",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let Some(wanted) = &context.stack.verify.observability else {
        return Outcome::skip("the stack has no [verify.observability]");
    };
    let Some(metrics) = &wanted.metrics else {
        return Outcome::skip("[verify.observability] names no metrics");
    };
    let replicas: Vec<_> = context
        .evidence
        .observed
        .replicas_of(&wanted.service)
        .collect();
    let request = Request::get(&metrics.path);
    let answers = future::join_all(
        replicas
            .iter()
            .map(|replica| context.ask(replica, &request)),
    );
    let (mut faults, mut samples) = (Vec::new(), 0);
    for (replica, answer) in replicas.iter().zip(answers.await) {
        let found = answer.and_then(|answer| {
            if answer.status != 200 {
                return Err(format!("GET {} answers {}", metrics.path, answer.status));
            }
            let text = String::from_utf8(answer.body).map_err(|_| "it is no UTF-8".to_owned())?;
            judge(&text, &metrics.names)
        });
        match found {
            Ok(found) => samples += found,
            Err(cause) => faults.push(format!("{}: {cause}", replica.name)),
        }
    }
    if replicas.is_empty() {
        faults.push(format!("no replica of {} is there", wanted.service));
    }
    Outcome::judge(
        &faults,
        format!("{} replicas tell {samples} values", replicas.len()),
    )
}

/// How many values there are; or the line that is none, or the names that are not there.
fn judge(text: &str, wanted: &[String]) -> Result<usize, String> {
    let (mut names, mut samples) = (BTreeSet::new(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        let comment = line.strip_prefix('#');
        if line.trim().is_empty() {
            continue;
        }
        if let Some(comment) = comment {
            // A family that has no values yet is there all the same.
            let mut words = comment.split_whitespace();
            if let (Some("TYPE"), Some(name)) = (words.next(), words.next()) {
                names.insert(name);
            }
            continue;
        }
        let name = sample(line).ok_or_else(|| format!("line {number} is no metric"))?;
        names.insert(name);
        samples += 1;
    }
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !names.contains(name))
        .collect();
    if !missing.is_empty() {
        return Err(format!("{} is not among its metrics", missing.join(", ")));
    }
    if samples == 0 {
        return Err("there is no value among its metrics".into());
    }
    Ok(samples)
}

/// The name of `name{label="value"} 1.5 [time] [# exemplar]`.
fn sample(line: &str) -> Option<&str> {
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = match rest.strip_prefix('{') {
        Some(labels) => &labels[end_of_labels(labels)?..],
        None => rest,
    };
    let value = rest.strip_prefix(' ')?.split(' ').next()?;
    // Rust's parser knows `NaN` and `+Inf` as well.
    value.parse::<f64>().ok().map(|_| name)
}

/// Behind the closing brace, one inside a quoted value apart.
fn end_of_labels(labels: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in labels.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::judge;

    const TEXT: &str = r#"# HELP requests Requests.
# TYPE requests counter
requests_total{path="/a}\"b",status="200"} 12 1700000000 # {trace="x"} 1
# TYPE build info
build_info{version="1.0"} 1
# TYPE waits histogram
temperature +Inf
# EOF
"#;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn values_are_counted_and_a_family_without_values_is_there() {
        let wanted = names(&["requests_total", "build_info", "waits"]);
        assert_eq!(judge(TEXT, &wanted), Ok(3));
    }

    #[test]
    fn a_name_that_is_missing_is_told() {
        let found = judge(TEXT, &names(&["build_info", "pool_max"]));
        assert_eq!(found, Err("pool_max is not among its metrics".into()));
    }

    #[test]
    fn a_page_is_no_metrics_and_neither_is_nothing() {
        assert!(judge("<!doctype html>\n", &[]).is_err());
        assert!(judge("{\"status\":\"ok\"}", &[]).is_err());
        assert!(judge("up one\n", &[]).is_err());
        assert!(judge("up{open=\"x\" 1\n", &[]).is_err());
        assert!(judge("# EOF\n", &[]).is_err());
    }
}
