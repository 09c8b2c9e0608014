//! The little languages inside single values: durations, sizes, ports, mounts, users, names.
//! Text in, value or [`Problem`] out.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    read::Problem,
    stack::{Mount, MountSource, Owner, Port, Protocol, VolumeName},
};

/// `500ms`, `30s`, `1m30s`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
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
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{}s", millis / 1000)
    } else {
        format!("{millis}ms")
    }
}

/// `256m`, `1g`, `512kb`, `1048576`: powers of 1024, as in Compose. In bytes.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
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
pub(super) fn show_size(bytes: u64) -> String {
    [(30, "g"), (20, "m"), (10, "k")]
        .into_iter()
        .find(|(shift, _)| bytes.is_multiple_of(1 << shift))
        .map_or_else(
            || format!("{bytes}b"),
            |(shift, unit)| format!("{}{unit}", bytes >> shift),
        )
}

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, as in Compose. Without a host port the engine picks one.
pub(super) fn port(text: &str) -> Result<Port, Problem> {
    const FORMS: &str =
        "write \"8080:80\", \"127.0.0.1:8080:80\", \"8080:80/udp\", or \"80\" for any free port";
    let problem = |why: &str| Problem::new(format!("`{text}` is not a port: {why}"), FORMS);
    let (numbers, protocol) = match text.split_once('/') {
        None => (text, Protocol::Tcp),
        Some((numbers, "tcp")) => (numbers, Protocol::Tcp),
        Some((numbers, "udp")) => (numbers, Protocol::Udp),
        Some(_) => return Err(problem("the protocol is neither tcp nor udp")),
    };
    if numbers.contains('-') {
        return Err(problem("ranges are not supported"));
    }
    let number = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| problem("ports are numbers from 1 to 65535"))
    };
    let (front, container) = match numbers.rsplit_once(':') {
        Some((front, container)) => (Some(front), container),
        None => (None, numbers),
    };
    let container = number(container)?;
    if container == 0 {
        return Err(problem("the container's port cannot be 0"));
    }
    let (host_ip, host) = match front.map(|front| front.rsplit_once(':').ok_or(front)) {
        None => (None, 0),
        Some(Err(host)) => (None, number(host)?),
        Some(Ok((ip, host))) => {
            let bare = ip.trim_start_matches('[').trim_end_matches(']');
            let ip: IpAddr = bare
                .parse()
                .map_err(|_| problem("the address is not an IP address"))?;
            (
                Some(ip.to_string()),
                if host.is_empty() { 0 } else { number(host)? },
            )
        }
    };
    Ok(Port {
        host_ip,
        host,
        container,
        protocol,
    })
}

/// A port as it is written.
pub(super) fn show_port(port: &Port) -> String {
    let ip = match &port.host_ip {
        Some(ip) if ip.contains(':') => format!("[{ip}]:"),
        Some(ip) => format!("{ip}:"),
        None => String::new(),
    };
    let protocol = match port.protocol {
        Protocol::Tcp => "",
        Protocol::Udp => "/udp",
    };
    format!("{ip}{}:{}{protocol}", port.host, port.container)
}

/// `SOURCE:TARGET[:ro|rw]`, as in Compose. A bind mount's source stays as it is written.
pub(super) fn mount(text: &str) -> Result<Mount, Problem> {
    const FORMS: &str = "write \"volume:/path\", \"./directory:/path\" or \"volume:/path:ro\"";
    let problem = |why: &str| Problem::new(format!("`{text}` is not a mount: {why}"), FORMS);
    let mut parts = text.split(':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err(problem(
            "it has no target; a volume without a name would be lost",
        ));
    };
    let read_only = match (parts.next(), parts.next()) {
        (None | Some("rw"), None) => false,
        (Some("ro"), None) => true,
        _ => return Err(problem("after the target stands neither ro nor rw")),
    };
    let source = mount_source(source).map_err(|why| problem(&why))?;
    let target = container_path(target)?;
    Ok(Mount {
        source,
        target,
        read_only,
        chown: false,
    })
}

/// A path is a bind mount, a name is a volume.
pub(super) fn mount_source(text: &str) -> Result<MountSource, String> {
    if text.starts_with(['/', '.', '~']) {
        Ok(MountSource::Bind(PathBuf::from(text)))
    } else if text.is_empty() {
        Err("it has no source".to_owned())
    } else if text.contains('/') {
        Err("a path begins with /, ./ or ~/".to_owned())
    } else {
        Ok(MountSource::Volume(VolumeName::new(text)))
    }
}

/// A bind mount's path, absolute and without `.` and `..`.
pub(super) fn bind_path(path: &Path, root: &Path, home: Option<&Path>) -> Result<PathBuf, Problem> {
    let path = match (path.strip_prefix("~"), home) {
        (Err(_), _) => root.join(path),
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) => {
            return Err(Problem::new(
                "`~` means nothing: HOME is not set",
                "write the whole path",
            ));
        }
    };
    Ok(clean(&path))
}

/// A path without `.` and `..`, by its text alone.
pub(super) fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

/// An absolute path inside a container.
pub(super) fn container_path(text: &str) -> Result<String, Problem> {
    if !text.starts_with('/') || text.split('/').any(|step| step == "..") {
        return Err(Problem::new(
            format!("`{text}` is not an absolute path"),
            "paths inside a container begin with / and have no ..",
        ));
    }
    Ok(text.to_owned())
}

/// A directory in memory: its path, and mount options after a colon.
pub(super) fn tmpfs(text: &str) -> Result<String, Problem> {
    container_path(text.split(':').next().unwrap_or_default())?;
    Ok(text.to_owned())
}

/// The path of a URL.
pub(super) fn url_path(text: &str) -> Result<String, Problem> {
    let printable = text.chars().all(|c| c.is_ascii_graphic());
    if text.starts_with('/') && printable {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a path"),
        "it begins with / and has no blanks",
    ))
}

/// A path on this machine, relative to the file.
pub(super) fn local_path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() {
        return Err(Problem::new(
            "the path is empty",
            "write . for the directory of the file",
        ));
    }
    Ok(PathBuf::from(text))
}

/// The name of a file, without a directory.
pub(super) fn file_name(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text.contains('/') || text == "." || text == ".." {
        return Err(Problem::new(
            format!("`{text}` is not a file's name"),
            "write it without a directory",
        ));
    }
    Ok(text.to_owned())
}

/// `UID`, `UID:GID`, or names of the image's users and groups.
pub(super) fn user(text: &str) -> Result<String, Problem> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    if [Some(user), group]
        .into_iter()
        .flatten()
        .all(is_user_or_group)
    {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a user"),
        "write a number, \"number:number\", or the name of a user of the image",
    ))
}

fn is_user_or_group(text: &str) -> bool {
    if text.chars().all(|c| c.is_ascii_digit()) {
        return text.parse::<u32>().is_ok();
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// `UID:GID`, or `UID` for a group of the same number.
pub(super) fn owner(text: &str) -> Result<Owner, Problem> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    match (uid.parse(), gid.parse()) {
        (Ok(uid), Ok(gid)) => Ok(Owner { uid, gid }),
        _ => Err(Problem::new(
            format!("`{text}` is not an owner"),
            "write it in numbers: \"1000:1000\"",
        )),
    }
}

/// The numbers of a `user` value; `None` when it is a name. A user alone has group 0, as the engine has it.
pub(super) fn numeric_user(user: &str) -> Option<Owner> {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    Some(Owner {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
    })
}

/// Pattern of a name that is used in names of containers and in DNS.
pub(super) const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]*$";

/// A name that is used in names of containers and in DNS.
pub(super) fn name(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !text.is_empty() && !text.starts_with(['_', '-']) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{text}` cannot be a name"),
        "names are made of a-z, 0-9, - and _ and begin with a letter or digit; containers and DNS use them",
    ))
}

/// Pattern of a variable's name.
pub(super) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_.-]*$";

/// The name of a variable.
pub(super) fn variable(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(allowed)
    {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{text}` is not a variable's name"),
        "names are made of letters, digits, _, . and - and do not begin with a digit",
    ))
}

/// Labels that start with this are the CLI's own.
const RESERVED_LABELS: &str = "dev.sysndd.";

/// Pattern of a label's name.
pub(super) const LABEL_PATTERN: &str = "^[^\\s=]+$";

/// The name of a label that is not one of ours.
pub(super) fn label(text: &str) -> Result<(), Problem> {
    if text.starts_with(RESERVED_LABELS) {
        let message =
            format!("labels that begin with `{RESERVED_LABELS}` are set by sysndd-deploy");
        return Err(Problem::new(message, "choose another name"));
    }
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '=') {
        return Err(Problem::new(
            format!("`{text}` is not a label's name"),
            "it has no blanks and no =",
        ));
    }
    Ok(())
}

/// Pattern of an event's name.
pub(super) const EVENT_PATTERN: &str = "^[a-z_]+\\.[a-z_]+$";

/// The name of a startup event.
pub(super) fn event(text: &str) -> Result<(), Problem> {
    let word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match text.split_once('.') {
        Some((subject, verb)) if word(subject) && word(verb) => Ok(()),
        _ => Err(Problem::new(
            format!("`{text}` is not an event's name"),
            "write it in quotes and with one dot: \"startup.ready\"",
        )),
    }
}

/// A regular expression, checked.
pub(super) fn regex(text: &str) -> Result<String, Problem> {
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
pub(super) fn signal(text: &str) -> Result<String, Problem> {
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
    let hint = super::suggest::suggest(&with_prefix, SIGNALS)
        .unwrap_or_else(|| "write its name, such as SIGTERM".to_owned());
    Err(Problem::new(format!("`{text}` is not a signal"), hint))
}

/// A kernel capability, with or without its prefix.
pub(super) fn capability(text: &str) -> Result<String, Problem> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a capability"),
        "write it in capitals, such as NET_BIND_SERVICE or ALL",
    ))
}

#[cfg(test)]
mod tests;
