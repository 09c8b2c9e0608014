//! The steps of a restore, by what it logs, and when the line came. Pure.

/// The step that begins with this line, if one does.
pub(super) fn begins(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" INFO restoring step=\"")?;
    let (step, _) = rest.split_once('"')?;
    Some(step.to_owned())
}

/// How long each took: until the next, and the last until the end.
pub(super) fn durations(begun: &[(f64, String)], end: f64) -> Vec<(String, f64)> {
    let ends = begun.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let steps = begun.iter().zip(ends);
    steps
        .map(|((at, step), until)| (step.clone(), until - at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lasts_until_the_next_one() {
        let line = r#"2026-11-21T20:24:00.000000Z  INFO restoring step="loading""#;
        assert_eq!(begins(line).as_deref(), Some("loading"));
        for other in ["2026-11-21T20:24:00Z  INFO a backup was made name=x", ""] {
            assert_eq!(begins(other), None);
        }
        let begun = [(1.0, "loading".to_owned()), (4.0, "checking".to_owned())];
        let steps = durations(&begun, 4.5);
        assert_eq!(
            steps,
            [("loading".to_owned(), 3.0), ("checking".to_owned(), 0.5)]
        );
    }
}
