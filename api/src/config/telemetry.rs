//! How much is logged.

use tracing_subscriber::EnvFilter;

use super::Source;

/// The log settings.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// `SYSNDD_LOG`: a level, or levels by module, such as `info,sysndd_api::http=debug`.
    pub(crate) filter: EnvFilter,
}

impl Telemetry {
    pub(crate) fn read(source: &mut Source) -> Self {
        Self {
            filter: source.value("SYSNDD_LOG", EnvFilter::new("info"), |text| {
                EnvFilter::try_new(text)
                    .map_err(|_| "must be a level (error, warn, info, debug, trace) or a list such as info,sysndd_api=debug".to_owned())
            }),
        }
    }
}
