//! How much is logged.

use tracing_subscriber::EnvFilter;

use super::Source;

/// The driver reports every error a query gives as an error of the program, expected ones too;
/// its callers know better. An operator can still ask for it by name.
const DRIVER: &str = "mysql_async=off";

/// The log settings.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// `SYSNDD_LOG`: a level, or levels by module, such as `info,sysndd_api::http=debug`.
    pub(crate) filter: EnvFilter,
}

impl Telemetry {
    pub(crate) fn read(source: &mut Source) -> Self {
        let default = EnvFilter::new(format!("{DRIVER},info"));
        let filter = source.value("SYSNDD_LOG", default, |text| {
            EnvFilter::try_new(format!("{DRIVER},{text}")).map_err(|_| {
                "must be a level (error, warn, info, debug, trace) or a list such as \
                 info,sysndd_api=debug"
                    .to_owned()
            })
        });
        Self { filter }
    }
}
