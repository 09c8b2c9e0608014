//! Passwords: Argon2id with the parameters that OWASP names first (19 MiB, 2 passes, 1 lane).
//!
//! Hashing is made to be slow: it runs apart from the tasks that answer requests, and never more
//! often at a time than there are cores.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;

/// A password as somebody typed it. Never shown, and wiped when it is dropped.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(SecretString);

impl Password {
    pub(crate) const SHORTEST: usize = 10;
    const LONGEST: usize = 128;

    /// Whether it may be set: long enough, and not of one character only. Rules about kinds of
    /// characters make passwords worse, not better (NIST SP 800-63B).
    pub(crate) fn check(&self) -> Result<(), String> {
        let characters: Vec<char> = self.0.expose_secret().chars().collect();
        if !(Self::SHORTEST..=Self::LONGEST).contains(&characters.len()) {
            return Err(format!(
                "must be {} to {} characters long",
                Self::SHORTEST,
                Self::LONGEST
            ));
        }
        if characters.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err("must not be one character over and over".to_owned());
        }
        Ok(())
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
            turns: Arc::new(Semaphore::new(cores)),
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
            let Some(hash) = hash else {
                let _ = Argon2::default().hash_password(password.0.expose_secret().as_bytes());
                return Ok(false);
            };
            let hash = PasswordHash::new(&hash)
                .map_err(|error| anyhow::anyhow!("reading a stored password hash: {error}"))?;
            Ok(Argon2::default()
                .verify_password(password.0.expose_secret().as_bytes(), &hash)
                .is_ok())
        })
        .await
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let turn = self
            .turns
            .acquire()
            .await
            .context("waiting for a turn to hash")?;
        let done = tokio::task::spawn_blocking(work).await.context("hashing")?;
        drop(turn);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn nobody_has_no_password() {
        let verified = Hasher::new().verify("anything".into(), None).await;
        assert!(!verified.expect("no hash to be bad"));
    }
}
