//! Accounts: what a user is, the rules for what they may be called, and the statements about them.

mod fields;
mod guessing;
mod purge;
mod store;

pub(crate) use fields::{agreed, email, orcid, person_name, user_name};
pub(crate) use guessing::{Guesses, count_wrong_password, forget_wrong_passwords};
pub(crate) use purge::Purge;
pub(crate) use store::{
    Credentials, Known, NewUser, Status, activate, attempt, credentials, find_by_email, hold,
    revoke_scripts, set_password, sign_up, sign_up_again,
};
