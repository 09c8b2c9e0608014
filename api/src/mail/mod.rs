//! Mail: letters are put into the job queue and sent from there, again and again until the server
//! takes them.
//!
//! The queue holds who gets which letter, never a token and never a text: both are made when the
//! letter is sent, and are the same each time.

mod letter;
mod post;
mod send;
mod smtp;
mod text;

pub(crate) use letter::{Letter, send_later};
pub(crate) use post::{Post, watch};
pub(crate) use smtp::Step;
