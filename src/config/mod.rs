//! `sysndd.toml` and the environment → [`Stack`], typed and validated.

mod stack;
mod text;

pub(crate) use stack::*;
pub(crate) use text::Text;
