//! From sources to images: build contexts, builds with live progress, and base images.
//!
//! It talks to the engine only through `crate::docker` and never prints: what happens is told as
//! events, and the commands show them.

mod bases;
mod build;
mod context;
mod dockerfile;
mod dockerignore;
mod failure;
mod kitchen;
mod lookup;
mod progress;
mod recipe;
mod rootfs;
mod toolchain;

#[cfg(test)]
mod tests;

pub(crate) use bases::present as present_bases;
pub(crate) use bases::{
    BaseError, BaseEvent, BaseRefs, Origin, image_argument, missing_tools, needed, resolve,
};
pub(crate) use build::{BuiltImage, Outcome, ServiceBuild, build_service};
pub(crate) use lookup::{newest, present};
pub(crate) use progress::{BuildEvent, StepState};
