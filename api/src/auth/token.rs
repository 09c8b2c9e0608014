//! Tokens: 256 bits that act for someone. Only their hash is kept.

use std::fmt;

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::SecretKey;
use crate::hex::hex;

/// A token in the clear, on its way to its owner or from them. Never shown in logs.
#[derive(Clone)]
pub(crate) struct Token(SecretString);

/// What is kept of a token. Who reads it cannot act for anyone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl Token {
    /// A fresh one.
    pub(crate) fn random() -> Self {
        Self::of(&rand::random())
    }

    /// The same one for the same purpose and number, every time: what is sent again after an
    /// interruption carries the token that was sent before.
    pub(crate) fn derived(key: &SecretKey, purpose: &str, number: u64) -> Self {
        // HMAC takes keys of any length.
        #[expect(clippy::expect_used, reason = "HMAC refuses no key")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("any length is taken");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(&number.to_be_bytes());
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
    fn a_derived_token_depends_on_key_purpose_and_number() {
        let one = key("0123456789abcdefghijklmnopqrstuv");
        let other = key("another-key-that-is-long-enough-too");
        let token = Token::derived(&one, "confirm_email", 7);
        assert_eq!(
            token.expose(),
            Token::derived(&one, "confirm_email", 7).expose()
        );
        for different in [
            Token::derived(&one, "confirm_email", 8),
            Token::derived(&one, "reset_password", 7),
            Token::derived(&other, "confirm_email", 7),
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
