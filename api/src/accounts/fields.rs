//! The rules for the fields of an account, as `garde` takes them.

#![expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "it is how garde calls them"
)]

use garde::Error;

/// 5 to 20 letters, digits and `.`, `_`, `-`; the first one a letter. Never an `@`: at sign-in that
/// tells an address from a name.
pub(crate) fn user_name(value: &str, (): &()) -> garde::Result {
    let fits = (5..=20).contains(&value.len())
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if fits {
        Ok(())
    } else {
        Err(Error::new(
            "must be 5 to 20 letters, digits, dots, dashes or underscores, the first one a letter",
        ))
    }
}

/// An address that mail can go to, as garde's rule `email` and the column have it.
pub(crate) fn email(value: &str) -> garde::Result {
    garde::rules::email::parse_email(value)
        .map_err(|_| Error::new("must be an address such as marie@example.org"))?;
    if value.len() > 254 {
        return Err(Error::new("must be no longer than 254 characters"));
    }
    Ok(())
}

/// 2 to 50 characters of any script, with something to see. Anybody can have a letter of ours sent that begins with
/// the name they typed: nothing that makes a link, and nothing that is not seen or turns the text around.
pub(crate) fn person_name(value: &str, (): &()) -> garde::Result {
    if !(2..=50).contains(&value.chars().count()) || value.trim() != value {
        return Err(Error::new(
            "must be 2 to 50 characters without a space at the ends",
        ));
    }
    if value.chars().any(|c| ":/@".contains(c) || is_unseen(c)) {
        return Err(Error::new(
            "must be without `:`, `/`, `@` and characters that cannot be seen",
        ));
    }
    Ok(())
}

/// Control and format characters, and the ends of lines and paragraphs. Those that join letters or keep them
/// apart (U+200C, U+200D) are part of names in several scripts.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0x00ad
                | 0x0600..=0x0605
                | 0x061c
                | 0x06dd
                | 0x070f
                | 0x0890..=0x0891
                | 0x08e2
                | 0x180e
                | 0x200b
                | 0x200e..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0xfeff
                | 0xfff9..=0xfffb
                | 0x110bd
                | 0x110cd
                | 0x13430..=0x1343f
                | 0x1bca0..=0x1bca3
                | 0x1d173..=0x1d17a
                | 0xe0000..=0xe007f
        )
}

/// An ORCID iD such as 0000-0002-1825-0097, with its check digit (ISO 7064 MOD 11-2).
pub(crate) fn orcid(value: &Option<String>, (): &()) -> garde::Result {
    let Some(value) = value else { return Ok(()) };
    let groups: Vec<&str> = value.split('-').collect();
    let digits = groups.concat();
    let fits = groups.len() == 4
        && groups.iter().all(|group| group.len() == 4)
        && digits.is_char_boundary(15)
        && digits[..15].bytes().all(|b| b.is_ascii_digit())
        && digits.ends_with(check_digit(&digits[..15]));
    if fits {
        Ok(())
    } else {
        Err(Error::new(
            "must be an ORCID iD such as 0000-0002-1825-0097",
        ))
    }
}

fn check_digit(digits: &str) -> char {
    let sum = digits
        .bytes()
        .fold(0u32, |sum, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    match (12 - sum) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('X'),
    }
}

pub(crate) fn agreed(value: &bool, (): &()) -> garde::Result {
    if *value {
        Ok(())
    } else {
        Err(Error::new("must be agreed to"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_of_letters_digits_and_little_else() {
        for (name, fits) in [
            ("marie", true),
            ("m.curie-1867_x", true),
            ("mari", false),
            ("a23456789012345678901", false),
            ("1marie", false),
            ("marie@home", false),
            ("marié", false),
            ("marie curie", false),
        ] {
            assert_eq!(user_name(name, &()).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn names_of_people_are_of_any_script() {
        for (name, fits) in [
            ("José", true),
            ("李明", true),
            ("van 't Hoff", true),
            ("X", false),
            (" Marie", false),
            ("می\u{200c}نا", true),
            ("J. R.", true),
            ("Ma\nrie", false),
            ("Win: evil.example", false),
            ("evil.example/win", false),
            ("marie@evil.example", false),
            ("Ma\u{202e}rie", false),
            ("Ma\u{2066}rie", false),
            ("Ma\u{200b}rie", false),
            ("Ma\u{2028}rie", false),
        ] {
            assert_eq!(person_name(name, &()).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn an_orcid_has_a_check_digit() {
        for (text, fits) in [
            ("0000-0002-1825-0097", true),
            ("0000-0002-1694-233X", true),
            ("0000-0002-1825-0098", false),
            ("0000-0002-1825-009", false),
            ("0000000218250097", false),
            ("0000-0002-1825-00é", false),
        ] {
            assert_eq!(orcid(&Some(text.to_owned()), &()).is_ok(), fits, "{text}");
        }
        assert!(orcid(&None, &()).is_ok());
    }
}
