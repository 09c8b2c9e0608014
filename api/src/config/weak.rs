//! Secrets that are none: too short, all alike, or made of words that everybody tries first.

/// Fewer different characters than this are a pattern.
const FEWEST_DIFFERENT: usize = 5;
/// Digits alone are soon tried.
const SHORTEST_NUMBER: usize = 24;
/// What passwords are made of that were never changed. Only whole ones of these are refused: any other
/// letter makes it another word.
const WORDS: [&str; 30] = [
    "admin",
    "administrator",
    "api",
    "change",
    "database",
    "db",
    "default",
    "demo",
    "dev",
    "development",
    "example",
    "insecure",
    "key",
    "letmein",
    "local",
    "me",
    "my",
    "mysql",
    "passwd",
    "password",
    "please",
    "qwerty",
    "root",
    "secret",
    "sysndd",
    "test",
    "the",
    "user",
    "welcome",
    "your",
];

/// What is wrong with a secret, without repeating any of it.
pub(crate) fn weakness(secret: &str, shortest: usize) -> Option<String> {
    let fault = if secret.chars().count() < shortest {
        "is too short"
    } else if different(secret) < FEWEST_DIFFERENT {
        "repeats itself"
    } else if is_known(secret) {
        "is one of those that everybody tries first"
    } else {
        return None;
    };
    Some(format!(
        "{fault}; give {shortest} or more random characters"
    ))
}

fn different(secret: &str) -> usize {
    let mut characters: Vec<char> = secret.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    characters.len()
}

/// Known words beside each other, whatever stands between them.
fn is_known(secret: &str) -> bool {
    let letters: String = secret
        .chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    if letters.is_empty() {
        return secret.chars().all(|c| c.is_ascii_digit())
            && secret.chars().count() < SHORTEST_NUMBER;
    }
    // Where a word may begin: after any run of words.
    let mut begins = vec![false; letters.len() + 1];
    begins[0] = true;
    for at in 0..letters.len() {
        if !begins[at] {
            continue;
        }
        for word in WORDS {
            if letters[at..].starts_with(word) {
                begins[at + word.len()] = true;
            }
        }
    }
    begins[letters.len()]
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn what_everybody_tries_first_is_refused_however_it_is_dressed_up() {
        for secret in [
            "",
            "root",
            "password",
            "sysndd",
            "elevenchars",
            "aaaaaaaaaaaaaaaa",
            "abababababababab",
            "123456789012",
            "Password123!!!!",
            "sysndd-sysndd-2026",
            "MySQL_root_password",
            "change-me-please",
        ] {
            assert!(weakness(secret, 12).is_some(), "{secret}");
        }
    }

    #[test]
    fn random_characters_pass_and_so_do_words_that_are_not_known() {
        for secret in [
            "for-tests-only",
            "hunter2-canary",
            "xK3vQ9mT2bWz",
            "84-19$02!77*36",
            "päßwörtlich-gut",
            "correct-horse-battery-staple",
        ] {
            assert_eq!(weakness(secret, 12), None, "{secret}");
        }
    }

    #[test]
    fn no_message_repeats_the_secret() {
        let told = weakness("sysndd-sysndd-2026", 12).expect("weak");
        assert!(!told.contains("sysndd") && !told.contains("2026"), "{told}");
    }
}
