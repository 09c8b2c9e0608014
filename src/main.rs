//! Placeholder.
mod config;
mod docker;
mod images;
fn main() {}
