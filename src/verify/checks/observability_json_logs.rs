//! `observability.json-logs`: each line that a replica wrote since its start can be collected as
//! one record.

use futures::future;
use serde_json::Value;

use crate::{
    docker::LogLine,
    verify::{Check, Context, Outcome, Suite, logs},
};

pub(super) const CHECK: Check = Check {
    id: "observability.json-logs",
    suite: Suite::Observability,
    requirements: &["PD-2.3", "PD-2.4"],
    expected: "every line of every replica's log since its start is a JSON object with the configured keys",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let Some(wanted) = &context.stack.verify.observability else {
        return Outcome::skip("the stack has no [verify.observability]");
    };
    if wanted.log_keys.is_empty() {
        return Outcome::skip("[verify.observability] names no log_keys");
    }
    let replicas: Vec<_> = context
        .evidence
        .observed
        .replicas_of(&wanted.service)
        .collect();
    let read = future::join_all(replicas.iter().map(|replica| {
        let since = replica.born_after();
        let start = (0_usize, None);
        let judged = move |(lines, fault): (usize, Option<String>), line: &LogLine| {
            if since.is_some_and(|since| line.time < since) {
                return (lines, fault);
            }
            let fault = fault.or_else(|| judge(line, &wanted.log_keys));
            (lines + 1, fault)
        };
        logs::fold(context.engine, &replica.container, start, judged)
    }));
    let (mut faults, mut lines) = (Vec::new(), 0);
    for (replica, read) in replicas.iter().zip(read.await) {
        match read {
            Err(error) => faults.push(format!("{}: {error}", replica.name)),
            Ok((_, (0, _))) => faults.push(format!("{} wrote nothing", replica.name)),
            Ok((_, (_, Some(fault)))) => faults.push(format!("{}: {fault}", replica.name)),
            Ok((_, (read, None))) => lines += read,
        }
    }
    if replicas.is_empty() {
        faults.push(format!("no replica of {} is there", wanted.service));
    }
    Outcome::judge(
        &faults,
        format!("{lines} lines of {} replicas", replicas.len()),
    )
}

/// What is wrong with a line. Its text is not told: it may hold anything.
fn judge(line: &LogLine, keys: &[String]) -> Option<String> {
    let time = line.time.format("%H:%M:%S%.3f");
    match serde_json::from_str(&line.text) {
        Ok(Value::Object(record)) => {
            let missing = keys.iter().find(|key| !record.contains_key(*key))?;
            Some(format!("its line of {time} has no `{missing}`"))
        }
        _ => Some(format!("its line of {time} is no JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::docker::{LogLine, LogStream};

    fn fault(text: &str) -> Option<String> {
        let line = LogLine {
            stream: LogStream::Stdout,
            time: chrono::DateTime::from_timestamp(1_795_168_800, 0).unwrap(),
            text: text.to_owned(),
        };
        judge(&line, &["ts".to_owned(), "level".to_owned()])
    }

    #[test]
    fn a_record_with_its_keys_is_right_and_all_else_is_not() {
        assert_eq!(fault(r#"{"ts":"x","level":"info","more":1}"#), None);
        assert!(fault(r#"{"ts":"x"}"#).unwrap().contains("no `level`"));
        for text in ["plain", "", "[1]", "\"ts level\"", r#"{"ts":"x""#] {
            assert!(fault(text).unwrap().contains("no JSON object"), "{text}");
        }
    }
}
