//! What the letters say: templates that are part of the program.

use serde::Serialize;
use tera::{Context, Tera};

/// A letter as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
}

/// What the templates can name. What a letter does not need is empty.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Facts {
    /// Address of the site, without a slash at its end.
    pub(super) site: String,
    /// First name of who gets it.
    pub(super) name: String,
    pub(super) user_name: String,
    /// What to follow.
    pub(super) link: String,
    /// How long it is good, in hours.
    pub(super) hours: u64,
    /// Who sent it: replica and release.
    pub(super) sender: String,
    /// What it is about: `backup`, `restore of a backup`.
    pub(super) what: String,
    /// More about it, a line.
    pub(super) detail: String,
}

macro_rules! templates {
    ($($letter:literal),* $(,)?) => {
        &[$(
            (concat!($letter, "/subject.txt"), include_str!(concat!("templates/", $letter, "/subject.txt"))),
            (concat!($letter, "/body.txt"), include_str!(concat!("templates/", $letter, "/body.txt"))),
            (concat!($letter, "/body.html"), include_str!(concat!("templates/", $letter, "/body.html"))),
        )*]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "already_registered",
    "backup_done",
    "backup_failed",
    "confirm_email",
    "name_taken",
    "password_changed",
    "reset_password",
    "test",
];

/// The templates, read.
pub(super) struct Texts(Tera);

impl Texts {
    /// Reads them; fails when one is wrong, which a test looks after.
    pub(super) fn new() -> Result<Self, tera::Error> {
        let mut tera = Tera::default();
        let frame = [
            ("frame.html", include_str!("templates/frame.html")),
            ("frame.txt", include_str!("templates/frame.txt")),
        ];
        tera.add_raw_templates(frame.into_iter().chain(TEMPLATES.iter().copied()))?;
        Ok(Self(tera))
    }

    /// The letter `name` with these facts in it.
    pub(super) fn render(&self, name: &str, facts: &Facts) -> Result<Text, tera::Error> {
        let context = Context::from_serialize(facts)?;
        let part = |part: &str| self.0.render(&format!("{name}/{part}"), &context);
        Ok(Text {
            subject: part("subject.txt")?.trim().to_owned(),
            plain: part("body.txt")?.trim_start().to_owned(),
            html: part("body.html")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            site: "https://sysndd.example.org".into(),
            name: "Ada".into(),
            user_name: "ada_l".into(),
            link: "https://sysndd.example.org/page#token=0123abcd".into(),
            hours: 48,
            sender: "api-1".into(),
            what: "restore of a backup".into(),
            detail: "manual_2026-11-20_20-01-02.sql.zst".into(),
        }
    }

    #[test]
    fn the_letters_read_well() {
        let texts = Texts::new().expect("good templates");
        for (name, _) in TEMPLATES.iter().step_by(3) {
            let name = name.trim_end_matches("/subject.txt");
            let text = texts.render(name, &facts()).expect(name);
            let whole = format!(
                "Subject: {}\n\n{}\n────\n{}",
                text.subject, text.plain, text.html
            );
            insta::assert_snapshot!(name, whole);
        }
    }

    #[test]
    fn names_cannot_put_markup_into_the_page_and_are_left_alone_in_the_text() {
        let facts = Facts {
            name: "<b onclick=x>Ada & Co</b>".into(),
            user_name: "a<i>".into(),
            ..facts()
        };
        let texts = Texts::new().expect("good templates");
        for (name, _) in TEMPLATES.iter().step_by(3) {
            let name = name.trim_end_matches("/subject.txt");
            let text = texts.render(name, &facts).expect(name);
            for markup in ["<b onclick", "a<i>"] {
                assert!(!text.html.contains(markup), "{name}: {}", text.html);
            }
            assert!(
                !text.plain.contains("&lt;") && !text.plain.contains("&amp;"),
                "{name}"
            );
            assert!(!text.subject.contains('\n'), "{name}");
        }
    }
}
