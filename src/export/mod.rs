//! The stack in the words of other programs: a Compose file, a unit for systemd. Text from values;
//! it writes no file and talks to nobody.

mod compose;
mod systemd;

pub(crate) use compose::{Compose, ComposeError};
pub(crate) use systemd::Unit;
