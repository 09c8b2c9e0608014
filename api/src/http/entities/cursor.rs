//! A place in a list, in the client's hands: the last row seen and which way to go from there.
//!
//! It is signed with the key that all replicas share, together with filters and order: one that was
//! changed, or comes with another question, is refused.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::params::ListParams;
use crate::config::SecretKey;

/// Bytes of the signature; half of SHA-256 is plenty.
const SIGNATURE: usize = 16;

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Whether the page lies before the place, in the order of the list.
    #[serde(rename = "b")]
    pub(super) backward: bool,
    /// The value of the row there by which the list is sorted; none when that is the identifier.
    #[serde(rename = "k")]
    pub(super) key: Option<String>,
    /// The row there.
    #[serde(rename = "i")]
    pub(super) entity_id: u32,
}

impl Cursor {
    /// As text for the client.
    pub(super) fn seal(
        &self,
        key: &SecretKey,
        params: &ListParams,
    ) -> Result<String, serde_json::Error> {
        let place = serde_json::to_vec(self)?;
        let signature = mac(key, params, &place).finalize().into_bytes();
        let mut sealed = signature
            .iter()
            .copied()
            .take(SIGNATURE)
            .collect::<Vec<_>>();
        sealed.extend(place);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// From the text that a client gave; none when it is not one of ours for this question.
    pub(super) fn open(text: &str, key: &SecretKey, params: &ListParams) -> Option<Self> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signature, place) = sealed.split_at_checked(SIGNATURE)?;
        mac(key, params, place)
            .verify_truncated_left(signature)
            .ok()?;
        serde_json::from_slice(place).ok()
    }
}

fn mac(key: &SecretKey, params: &ListParams, place: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    #[expect(clippy::expect_used, reason = "HMAC refuses no key")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("any length is taken");
    // What decides which rows there are and in which order; the size of a page may change.
    let ListParams {
        gene,
        disease,
        q,
        inheritance,
        category,
        ndd_phenotype,
        sort,
        order,
        limit: _,
        cursor: _,
    } = params;
    let question = format!(
        "entities {:?}",
        (
            gene,
            disease,
            q,
            inheritance,
            category,
            ndd_phenotype,
            sort,
            order
        )
    );
    mac.update(&question.len().to_be_bytes());
    mac.update(question.as_bytes());
    mac.update(place);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::entities::params::Sort;

    fn key(text: &str) -> SecretKey {
        SecretKey::new(text.to_owned()).expect("strong enough")
    }

    #[test]
    fn a_cursor_opens_for_the_question_it_was_made_for_and_no_other() {
        let ours = key("0123456789abcdefghijklmnopqrstuv");
        let cursor = Cursor {
            backward: false,
            key: Some("Rett syndrome".into()),
            entity_id: 7,
        };
        let asked = ListParams {
            sort: Sort::Disease,
            ..ListParams::default()
        };
        let sealed = cursor.seal(&ours, &asked).expect("sealed");
        assert_eq!(Cursor::open(&sealed, &ours, &asked), Some(cursor));

        let larger = ListParams {
            limit: Some(100),
            ..asked.clone()
        };
        assert!(
            Cursor::open(&sealed, &ours, &larger).is_some(),
            "pages may change their size"
        );
        let other = ListParams {
            gene: Some("MECP2".into()),
            ..asked.clone()
        };
        assert_eq!(Cursor::open(&sealed, &ours, &other), None);
        let stranger = key("another-key-that-is-long-enough-too");
        assert_eq!(Cursor::open(&sealed, &stranger, &asked), None);
    }

    #[test]
    fn a_cursor_that_was_changed_anywhere_does_not_open() {
        let ours = key("0123456789abcdefghijklmnopqrstuv");
        let cursor = Cursor {
            backward: true,
            key: None,
            entity_id: 7,
        };
        let asked = ListParams::default();
        let sealed = cursor.seal(&ours, &asked).expect("sealed");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'Q' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(Cursor::open(&changed, &ours, &asked), None, "{changed}");
        }
        for text in ["", "x", "not base64!", &sealed[1..], &sealed[..30]] {
            assert_eq!(Cursor::open(text, &ours, &asked), None, "{text}");
        }
    }
}
