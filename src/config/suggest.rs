//! "Did you mean …": the nearest of the words that would have been right.

/// More than this are not worth listing.
const FEW: usize = 10;

/// A hint with the nearest candidate, when one is near enough to be what was meant.
pub(super) fn suggest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// A hint with the nearest candidate, or with all of them when none is near and there are few.
pub(super) fn suggest_or_list<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match suggest(written, candidates.iter().copied()) {
        Some(hint) => hint,
        None if (1..=FEW).contains(&candidates.len()) => format!("there is {}", list(&candidates)),
        None => otherwise.to_owned(),
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

/// The candidate that was most likely meant, when one is likely at all: it begins alike, or a
/// single slip of the finger makes one of the other.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (likeness(&written, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn likeness(a: &str, b: &str) -> f64 {
    let slip = a.len() > 1 && strsim::osa_distance(a, b) <= 1;
    if slip { 0.9 } else { 0.0_f64 }.max(strsim::jaro_winkler(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_nothing_else_is_suggested() {
        let keys = ["environment", "entrypoint", "replicas", "db", "api"];
        let table = [
            ("enviroment", Some("environment")),
            ("Environment", Some("environment")),
            ("replica", Some("replicas")),
            ("bd", Some("db")),
            ("apis", Some("api")),
            ("colour", None),
            ("x", None),
            ("", None),
        ];
        for (written, meant) in table {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
    }
}
