//! What differs between two pictures of a database. Pure.

/// The first lines that are only in one of two pictures; `None` when they are alike.
pub(super) fn difference(expected: &[String], found: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    if expected == found {
        return None;
    }
    let only = |side: char, these: &[String], those: &[String]| -> Vec<String> {
        let alone = these.iter().filter(|line| !those.contains(line));
        alone
            .take(SHOWN)
            .map(|line| format!("{side} {}", line.chars().take(300).collect::<String>()))
            .collect()
    };
    let mut lines = only('-', expected, found);
    lines.extend(only('+', found, expected));
    if lines.is_empty() {
        lines.push("the same lines in another order".to_owned());
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_difference_names_the_lines_of_either_side() {
        let found = difference(&lines("a\nb\nc"), &lines("a\nd\nc"));
        assert_eq!(found.as_deref(), Some("- b\n+ d"));
        assert_eq!(difference(&lines("a\nb"), &lines("a\nb")), None);
        assert!(difference(&lines("a\nb"), &lines("b\na")).is_some());
    }
}
