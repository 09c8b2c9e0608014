//! Columns of text under a head, for reports that people read. Pure.

/// Rows, the first of which is the head; columns are as wide as their widest cell.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `80 ms`, `4.2 s`, `3 min 5 s`.
pub(crate) fn milliseconds(duration: u64) -> String {
    match duration {
        0..1_000 => format!("{duration} ms"),
        1_000..120_000 => format!("{}.{} s", duration / 1_000, duration % 1_000 / 100),
        _ => format!("{} min {} s", duration / 60_000, duration / 1_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            columns(&[
                row(["FILE", "STATE"]),
                row(["söhne.sql", "applied"]),
                row(["a", ""])
            ]),
            "FILE       STATE\nsöhne.sql  applied\na\n"
        );
    }

    #[test]
    fn durations_are_precise_where_it_matters() {
        assert_eq!(
            [80, 4_250, 185_000].map(milliseconds),
            ["80 ms", "4.2 s", "3 min 5 s"]
        );
    }
}
