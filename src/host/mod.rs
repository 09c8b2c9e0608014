//! This machine: what is installed on it, and how an engine is brought to it. Changes the machine
//! only where a function says so, and only when the operator asked (`quickstart`, `doctor --fix`).

mod disk;
mod engine;
mod packages;

pub(crate) use disk::free_space;
pub(crate) use engine::{EngineSetupError, ensure_engine};
pub(crate) use packages::install;
