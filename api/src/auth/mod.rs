//! Who someone is, and what they may do.
//!
//! Passwords are kept as Argon2id hashes, tokens as SHA-256 hashes; neither is ever logged. A
//! session is a row, so that any replica can check it and ending it takes effect everywhere at once.

mod one_time;
mod pace;
mod password;
mod role;
mod session;
mod signed_in;
mod token;

pub(crate) use one_time::{Purpose, issue, redeem, revoke_links};
pub(crate) use pace::may_send;
pub(crate) use password::{Hasher, Password, may_be_set};
pub(crate) use role::Role;
pub(crate) use session::{Actor, NewSession, close_session, open_session, rotate_session};
pub(crate) use signed_in::{Administrator, Leaving, SignedIn, session_cookie};
pub(crate) use token::{Origin, Token};
