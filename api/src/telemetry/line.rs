//! Log lines with the keys of startup events: `ts` is the time in both.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::{
    FmtContext, FormatEvent, FormatFields,
    format::{Format, Json, Writer},
};
use tracing_subscriber::registry::LookupSpan;

/// What the formatter begins each line with.
const THEIRS: &str = "{\"timestamp\":";
const OURS: &str = "{\"ts\":";

/// The formatter of JSON lines, with the time under our name.
pub(super) struct Line(pub(super) Format<Json>);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix(THEIRS) {
            Some(rest) => write!(writer, "{OURS}{rest}"),
            None => writer.write_str(&line),
        }
    }
}
