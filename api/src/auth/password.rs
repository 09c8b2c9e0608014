//! Passwords: Argon2id with the parameters that OWASP names first (19 MiB, 2 passes, 1 lane).
//!
//! Hashing is made to be slow: it runs apart from the tasks that answer requests, and never more
//! often at a time than there are cores, nor than what a replica has memory for.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::config::weakness;

/// Hashes at a time, however many cores there are: each takes 19 MiB of a replica's 256.
const MOST_AT_A_TIME: usize = 4;

/// What a password is held against where there is no account. It is nobody's, and of the parameters of all others.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$uaZU0JHI+l7vgWNnE94oFA$YHqxf5rkErpFsGNXarxG6edjaNMFEGuvk3Q89jBWpLU";

/// A password as somebody typed it. Never shown, and wiped when it is dropped.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(SecretString);

impl Password {
    const SHORTEST: usize = 10;
    const LONGEST: usize = 128;

    /// Whether it may be set: long enough, and none that everybody tries first. Rules about kinds of
    /// characters make passwords worse, not better (NIST SP 800-63B).
    pub(crate) fn check(&self) -> Result<(), String> {
        let text = self.0.expose_secret();
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.chars().count()) {
            return Err(format!(
                "must be {} to {} characters long",
                Self::SHORTEST,
                Self::LONGEST
            ));
        }
        weakness(text, Self::SHORTEST).map_or(Ok(()), Err)
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(SecretString::from(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// For `garde`: a password that is to be set.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "it is how garde calls it"
)]
pub(crate) fn may_be_set(password: &Password, (): &()) -> garde::Result {
    password.check().map_err(garde::Error::new)
}

/// Makes and checks password hashes.
#[derive(Clone)]
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            turns: Arc::new(Semaphore::new(cores.min(MOST_AT_A_TIME))),
        }
    }

    /// Hashes a password; answers a PHC string.
    pub(crate) async fn hash(&self, password: Password) -> anyhow::Result<String> {
        self.apart(move || {
            let hash = Argon2::default()
                .hash_password(password.0.expose_secret().as_bytes())
                .map_err(|error| anyhow::anyhow!("hashing a password: {error}"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether a password belongs to a hash. Without a hash the answer is no, and takes as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> anyhow::Result<bool> {
        self.apart(move || {
            belongs(&password, hash.as_deref(), |bytes, hash| {
                Argon2::default().verify_password(bytes, hash).is_ok()
            })
        })
        .await
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .context("waiting for a turn to hash")?;
        // Whoever asked may be gone before the work is done, which goes on: the turn is over with the
        // work, not with the request.
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .context("hashing")?
    }
}

/// Whether `compare` finds that the password belongs to the hash. It is asked where there is none as
/// well, so that both take as long.
fn belongs(
    password: &Password,
    hash: Option<&str>,
    compare: impl FnOnce(&[u8], &PasswordHash) -> bool,
) -> anyhow::Result<bool> {
    let known = PasswordHash::new(hash.unwrap_or(NOBODYS))
        .map_err(|error| anyhow::anyhow!("reading a stored password hash: {error}"))?;
    let alike = compare(password.0.expose_secret().as_bytes(), &known);
    Ok(alike && hash.is_some())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::RwLock;

    use super::*;

    #[test]
    fn a_password_that_everybody_tries_first_is_not_set_and_the_message_says_what_is() {
        for (password, told) in [
            ("short", "must be 10 to 128 characters long"),
            ("aaaaaaaaaaaa", "repeats itself; give 10 or more random"),
            ("Password123!", "everybody tries first; give 10 or more"),
            ("1234567890", "everybody tries first; give 10 or more"),
        ] {
            let fault = Password::from(password).check().expect_err(password);
            assert!(fault.contains(told), "{fault}");
            assert!(!fault.contains(password), "{fault}");
        }
        for password in ["correct horse battery", "a quite different one"] {
            assert_eq!(Password::from(password).check(), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_hash_is_of_argon2id_and_knows_its_password() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct horse".into()).await.expect("hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(hash.len() <= 255 && hash.is_ascii());
        for (password, belongs) in [
            ("correct horse", true),
            ("Correct horse", false),
            ("", false),
        ] {
            let verified = hasher.verify(password.into(), Some(hash.clone())).await;
            assert_eq!(verified.expect("a good hash"), belongs, "{password:?}");
        }
        assert_ne!(
            hash,
            hasher.hash("correct horse".into()).await.expect("hashed")
        );
    }

    #[test]
    fn where_there_is_no_account_a_password_is_compared_as_well_and_never_right() {
        let asked = Cell::new(0);
        let compare = |_: &[u8], hash: &PasswordHash| {
            asked.set(asked.get() + 1);
            assert_eq!(
                hash.to_string().rsplitn(3, '$').last(),
                Some("$argon2id$v=19$m=19456,t=2,p=1")
            );
            true
        };
        let right = belongs(&"anything".into(), None, compare).expect("a good hash");
        assert_eq!((asked.get(), right), (1, false));
    }

    #[tokio::test]
    async fn nobodys_hash_is_like_that_of_an_account() {
        let hasher = Hasher::new();
        let account = hasher.hash("correct horse".into()).await.expect("hashed");
        let lengths = |hash: &str| hash.split('$').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths(NOBODYS), lengths(&account));
        let verified = hasher.verify("anything".into(), None).await;
        assert!(!verified.expect("a good hash"));
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_any_more_keeps_its_turn_until_it_is_done() {
        let hasher = Hasher::new();
        let turns = hasher.turns.available_permits();
        assert!((1..=MOST_AT_A_TIME).contains(&turns));
        let gate = Arc::new(RwLock::new(()));
        let shut = Arc::clone(&gate).write_owned().await;
        let running = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (hasher, gate, running) = (hasher.clone(), Arc::clone(&gate), Arc::clone(&running));
            tokio::spawn(async move {
                let work = move || {
                    running.fetch_add(1, Ordering::SeqCst);
                    drop(gate.blocking_read());
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                hasher.apart(work).await
            })
        };
        // Everybody goes away as soon as all turns are taken, again and again.
        for _ in 0..3 {
            let asked: Vec<_> = (0..3 * MOST_AT_A_TIME).map(|_| ask()).collect();
            while running.load(Ordering::SeqCst) < turns {
                tokio::task::yield_now().await;
            }
            for one in asked {
                one.abort();
                assert!(one.await.is_err_and(|error| error.is_cancelled()));
            }
            assert_eq!(hasher.turns.available_permits(), 0);
        }
        assert_eq!(running.load(Ordering::SeqCst), turns);
        drop(shut);
        ask().await.expect("not cancelled").expect("a turn");
    }
}
