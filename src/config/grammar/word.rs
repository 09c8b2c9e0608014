//! Words of the kernel, and regular expressions.

use crate::config::{read::Problem, suggest::suggest};

/// A regular expression, checked.
pub(in crate::config) fn regex(text: &str) -> Result<String, Problem> {
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Err(Problem::new(
                format!("this regular expression does not compile: {reason}"),
                "single quotes keep backslashes as they are: 'ready in (?P<elapsed_ms>\\d+)'",
            ))
        }
    }
}

/// A signal's name.
pub(in crate::config) fn signal(text: &str) -> Result<String, Problem> {
    const SIGNALS: [&str; 16] = [
        "SIGABRT", "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGPIPE",
        "SIGPWR", "SIGQUIT", "SIGSTOP", "SIGTERM", "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH",
    ];
    let realtime = text
        .strip_prefix("SIGRTMIN+")
        .is_some_and(|n| n.parse::<u8>().is_ok_and(|n| n <= 15));
    if SIGNALS.contains(&text) || realtime {
        return Ok(text.to_owned());
    }
    let with_prefix = format!("SIG{}", text.to_ascii_uppercase().trim_start_matches("SIG"));
    let hint = suggest(&with_prefix, SIGNALS)
        .unwrap_or_else(|| "write its name, such as SIGTERM".to_owned());
    Err(Problem::new(format!("`{text}` is not a signal"), hint))
}

/// A kernel capability, with or without its prefix.
pub(in crate::config) fn capability(text: &str) -> Result<String, Problem> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a capability"),
        "write it in capitals, such as NET_BIND_SERVICE or ALL",
    ))
}
