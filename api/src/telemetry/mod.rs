//! What this process says about itself on standard output: startup events and JSON logs.
//!
//! One object a line, whole lines only, written under the lock of standard output. Never a
//! secret, a token, a password or the body of a request.

mod events;
mod line;
mod metrics;

pub(crate) use events::Events;
pub(crate) use metrics::Metrics;

use tracing_subscriber::EnvFilter;

/// Sends the process's logs to standard output as JSON.
pub(crate) fn init(filter: EnvFilter) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .map_event_format(line::Line)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .init();
    // A line like all others, not a text on standard error.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str();
        tracing::error!(place, error = message, "a panic");
    }));
}

/// For commands, whose standard output is their answer: the logs go to standard error, for whoever
/// typed the command.
pub(crate) fn init_beside(filter: EnvFilter) {
    tracing_subscriber::fmt()
        .compact()
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
