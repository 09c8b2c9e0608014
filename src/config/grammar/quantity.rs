//! Durations and sizes.

use std::time::Duration;

use crate::config::read::Problem;

/// `500ms`, `30s`, `1m30s`, `2h`.
pub(in crate::config) fn duration(text: &str) -> Result<Duration, Problem> {
    let problem = || {
        Problem::new(
            format!("`{text}` is not a duration"),
            "write a whole number and a unit: 500ms, 30s, 1m30s, 2h",
        )
    };
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(problem());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (amount, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(problem()),
        };
        let amount: u64 = amount.parse().map_err(|_| problem())?;
        total = amount
            .checked_mul(millis)
            .and_then(|amount| total.checked_add(amount))
            .ok_or_else(problem)?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// The shortest exact way to write a duration.
pub(in crate::config) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{}s", millis / 1000)
    } else {
        format!("{millis}ms")
    }
}

/// `256m`, `1g`, `512kb`, `1048576`: powers of 1024, as in Compose. In bytes.
pub(in crate::config) fn size(text: &str) -> Result<u64, Problem> {
    let problem = || {
        Problem::new(
            format!("`{text}` is not a size"),
            "write a whole number and a unit: 512k, 256m, 2g (powers of 1024)",
        )
    };
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (amount, unit) = trimmed.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return Err(problem()),
    };
    let amount: u64 = amount.parse().map_err(|_| problem())?;
    amount
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(problem)
}

/// The shortest exact way to write a size.
pub(in crate::config) fn show_size(bytes: u64) -> String {
    [(30, "g"), (20, "m"), (10, "k")]
        .into_iter()
        .find(|(shift, _)| bytes.is_multiple_of(1 << shift))
        .map_or_else(
            || format!("{bytes}b"),
            |(shift, unit)| format!("{}{unit}", bytes >> shift),
        )
}
