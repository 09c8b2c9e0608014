use super::*;

#[test]
fn a_word_of_a_name_makes_it_a_secret() {
    for name in [
        "PASSWORD",
        "DB_PASSWORD",
        "db_password",
        "API_KEY",
        "SECRET_BASE",
        "token",
        "GITHUB_TOKEN_1",
        "AWS_CREDENTIALS",
        "SMTP_PASS",
        "mail.password",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "MONKEY",
        "PASSAGE",
        "TOKENIZER",
        "DB_PASSWORD_FILE",
        "KEY_PATH",
        "KEYBOARD",
        "USER",
        "",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn the_password_of_a_url_is_found() {
    let table: [(&str, &[&str]); 10] = [
        ("mysql://u:p@h/d", &["p"]),
        ("a mysql://u:p@h and redis://:q@h", &["p", "q"]),
        ("https://u:p@ss@h/x", &["p@ss"]),
        ("https://u@h/x", &[]),
        ("https://u:@h/x", &[]),
        ("https://h:80/a:b@c", &[]),
        ("https://h:80?a:b@c", &[]),
        ("://u:p@h", &[]),
        ("u:p@h", &[]),
        ("", &[]),
    ];
    for (text, passwords) in table {
        let found: Vec<&str> = url_passwords(text)
            .into_iter()
            .map(|span| &text[span])
            .collect();
        assert_eq!(found, passwords, "{text}");
    }
}

#[test]
fn only_the_password_of_a_url_is_hidden_and_its_value_stays() {
    let variable = |name: &str, value: &str| Part::Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        secret: false,
    };
    let literal = |text: &str| Part::Literal(text.to_owned());
    let table = [
        (vec![literal("mysql://u:p@h/d")], "mysql://u:***@h/d"),
        (
            vec![literal("mysql://u:"), variable("P", "p"), literal("@h/d")],
            "mysql://u:${P}@h/d",
        ),
        (
            vec![literal("mysql://u:a"), variable("P", "p"), literal("@h/d")],
            "mysql://u:***${P}@h/d",
        ),
        (
            vec![literal("mysql://"), variable("U", "u"), literal(":p@h/d")],
            "mysql://u:***@h/d",
        ),
        (vec![variable("URL", "mysql://u:p@h/d")], "${URL}"),
        (vec![literal("http://h:80/")], "http://h:80/"),
    ];
    for (parts, shown) in table {
        let text = Text::from_parts(parts);
        let hidden = hide_url_passwords(text.clone());
        assert_eq!(hidden.masked(), shown);
        assert_eq!(hidden.expose(), text.expose());
    }
}

#[test]
fn a_switch_is_no_secret() {
    for switch in ["yes", "TRUE", "0", ""] {
        assert!(!hide_all(Text::literal(switch)).is_secret(), "{switch}");
    }
    assert!(hide_all(Text::literal("hunter2")).is_secret());
}
