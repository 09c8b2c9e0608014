//! What to do about an error that is not the fault of the statement it met: by the server's code.
//! Words only; no code is ever taken for a sign of what was done.

/// A sentence's begin, to go on with "and start again"; `None` where the file is to be mended.
pub(crate) fn remedy(code: Option<u16>) -> Option<&'static str> {
    Some(match code? {
        1021 | 1114 | 3675 => {
            "Free or add space on the database server's disk (or raise the table's limit)"
        }
        1041 | 1037 | 1038 => "Give the database server more memory",
        1290 | 1792 | 1836 | 3989 => {
            "The server is read-only: make it writable (`read_only`, `super_read_only`, `innodb_read_only`) or name the primary in the database URL"
        }
        1205 | 3572 => {
            "Another connection held what it needs for too long: end that one (`SHOW PROCESSLIST`) or wait for it"
        }
        1213 => "Other connections locked the same rows in another order: keep them away",
        1206 => "Raise `innodb_buffer_pool_size`, or change fewer rows at a time",
        1153 => "Raise `max_allowed_packet` on the server, or split the statement",
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 => "Grant the database user what it lacks",
        1419 => {
            "Set `log_bin_trust_function_creators` on the server, or grant the database user SUPER"
        }
        1062 | 1048 | 1451 | 1452 | 1265 | 1364 | 1366 | 1406 | 3819 | 4025 => {
            "Mend the data or the file"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_files_fault_is_told_from_what_is() {
        assert!(remedy(Some(1114)).is_some_and(|text| text.contains("disk")));
        assert!(remedy(Some(1836)).is_some_and(|text| text.contains("read-only")));
        assert!(remedy(Some(1153)).is_some_and(|text| text.contains("max_allowed_packet")));
        assert_eq!(remedy(Some(1064)), None);
        assert_eq!(remedy(None), None);
    }
}
