//! "Did you mean …": the nearest of the words that would have been right.

/// A hint with the nearest candidate, when one is near enough to be what was meant.
pub(super) fn suggest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// The nearest candidate, or a list of all of them when none is near and there are few.
pub(super) fn suggest_or_list<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    none: &str,
) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match suggest(written, candidates.iter().copied()) {
        Some(hint) => hint,
        None if candidates.is_empty() => none.to_owned(),
        None => format!("there is {}", list(&candidates)),
    }
}

/// `a`, `b` and `c`
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&written, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
