//! Tokens: 256 bits that act for someone. Only their hash is kept.

use std::fmt;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::SecretKey;
use crate::hex::hex;

/// A token in the clear, on its way to its owner or from them. Never shown in logs.
#[derive(Clone)]
pub(crate) struct Token(SecretString);

/// What a token is derived from. The number of a job alone would not do: a new database counts from one again, and
/// the key may be the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whose it is.
    pub(crate) user_id: u64,
    /// Of the job that sends it.
    pub(crate) job_id: u64,
    /// When that job was put into the queue.
    pub(crate) begun: DateTime<Utc>,
}

/// What is kept of a token. Who reads it cannot act for anyone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl Token {
    /// A fresh one.
    pub(crate) fn random() -> Self {
        Self::of(&rand::random())
    }

    /// The same one for the same purpose and origin, every time: what is sent again after an
    /// interruption carries the token that was sent before.
    pub(crate) fn derived(key: &SecretKey, purpose: &str, origin: Origin) -> Self {
        // HMAC takes keys of any length.
        #[expect(clippy::expect_used, reason = "HMAC refuses no key")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("any length is taken");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(&origin.job_id.to_be_bytes());
        mac.update(&origin.user_id.to_be_bytes());
        mac.update(&origin.begun.timestamp_micros().to_be_bytes());
        Self::of(&mac.finalize().into_bytes().into())
    }

    /// One that someone sent; any text may be tried.
    pub(crate) fn given(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    fn of(bytes: &[u8; 32]) -> Self {
        Self(SecretString::from(hex(bytes)))
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.expose_secret()).into())
    }

    /// The text for its owner.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TokenHash {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its first 16 hexadecimal digits: enough to tell the tokens of one account apart.
    pub(crate) fn short(&self) -> String {
        hex(&self.0[..8])
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SecretKey {
        SecretKey::new(text.to_owned()).expect("strong enough")
    }

    #[test]
    fn a_derived_token_depends_on_key_purpose_and_all_of_its_origin() {
        let one = key("0123456789abcdefghijklmnopqrstuv");
        let other = key("another-key-that-is-long-enough-too");
        let origin = Origin {
            user_id: 1,
            job_id: 7,
            begun: DateTime::UNIX_EPOCH,
        };
        let token = Token::derived(&one, "confirm_email", origin);
        assert_eq!(
            token.expose(),
            Token::derived(&one, "confirm_email", origin).expose()
        );
        let begun = DateTime::UNIX_EPOCH + std::time::Duration::from_micros(1);
        for different in [
            Token::derived(
                &one,
                "confirm_email",
                Origin {
                    user_id: 2,
                    ..origin
                },
            ),
            Token::derived(
                &one,
                "confirm_email",
                Origin {
                    job_id: 8,
                    ..origin
                },
            ),
            Token::derived(&one, "confirm_email", Origin { begun, ..origin }),
            Token::derived(&one, "reset_password", origin),
            Token::derived(&other, "confirm_email", origin),
            Token::random(),
        ] {
            assert_ne!(token.expose(), different.expose());
        }
    }

    #[test]
    fn what_was_given_hashes_as_what_was_made() {
        let token = Token::random();
        assert!(Token::given(token.expose()).hash() == token.hash());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
