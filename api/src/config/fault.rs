//! Where to end on purpose: for drills that prove what a sudden death leaves behind.

use sysndd_migrator::Point;

use super::Source;

/// `SYSNDD_FAULT`: a moment at which this process kills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The moment.
    pub(crate) point: Point,
    /// At which time that it is reached, counted from 1.
    pub(crate) nth: usize,
}

impl Fault {
    /// Reads it; there is none unless a drill asks.
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        source.value("SYSNDD_FAULT", None, |text| Self::parse(text).map(Some))
    }

    /// Parses `migrate.POINT` or `migrate.POINT:NTH`.
    fn parse(text: &str) -> Result<Self, String> {
        let (point, nth) = match text.split_once(':') {
            None => (text, Some(1)),
            Some((point, nth)) => (point, nth.parse().ok().filter(|nth| *nth > 0)),
        };
        let point = point
            .strip_prefix("migrate.")
            .and_then(|point| point.parse().ok());
        match (point, nth) {
            (Some(point), Some(nth)) => Ok(Self { point, nth }),
            _ => Err(format!(
                "must be migrate.POINT or migrate.POINT:NTH, POINT one of {}",
                Point::ALL.map(Point::as_str).join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_point_and_how_often_it_is_passed() {
        let parsed = |text| {
            Fault::parse(text)
                .ok()
                .map(|fault| (fault.point, fault.nth))
        };
        assert_eq!(parsed("migrate.lock-taken"), Some((Point::LockTaken, 1)));
        assert_eq!(
            parsed("migrate.statement-done:7"),
            Some((Point::StatementDone, 7))
        );
        for wrong in [
            "lock-taken",
            "migrate.",
            "migrate.nowhere",
            "migrate.lock-taken:0",
            "migrate.lock-taken:x",
            "1",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
