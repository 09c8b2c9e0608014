//! The little languages inside single values: durations, sizes, ports, mounts, users, names.
//! Text in, value or [`Problem`](super::read::Problem) out.

mod name;
mod path;
mod port;
mod quantity;
mod user;
mod word;

pub(super) use name::{
    EVENT_PATTERN, LABEL_PATTERN, NAME_PATTERN, VARIABLE_PATTERN, event, label, name, variable,
};
pub(super) use path::{
    bind_path, clean, container_path, file_name, local_path, mount, mount_source, site_url, tmpfs,
    url_path,
};
pub(super) use port::{port, show_port};
pub(super) use quantity::{duration, show_duration, show_size, size};
pub(super) use user::{numeric_user, owner, show_owner, user};
pub(super) use word::{capability, regex, signal};

#[cfg(test)]
mod tests;
