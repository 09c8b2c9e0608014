//! The server that takes our mail.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};

use super::Source;
use super::source::duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How mail leaves.
#[derive(Debug, Clone)]
pub(crate) struct Smtp {
    /// `SYSNDD_SMTP_HOST`: no mail is sent without one.
    pub(crate) host: String,
    /// `SYSNDD_SMTP_PORT`, else the usual one for the kind of encryption.
    pub(crate) port: u16,
    /// `SYSNDD_SMTP_TLS`.
    pub(crate) tls: SmtpTls,
    /// `SYSNDD_SMTP_USER` and `SYSNDD_SMTP_PASSWORD`.
    pub(crate) login: Option<SmtpLogin>,
    /// `SYSNDD_SMTP_FROM`: who the letters are from.
    pub(crate) from: Mailbox,
    /// `SYSNDD_SMTP_TIMEOUT`: for each of connecting, greeting, signing in and handing over.
    pub(crate) timeout: Duration,
}

/// How the way to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmtpTls {
    /// Not at all.
    None,
    /// After the greeting; a server that does not offer it gets no mail.
    StartTls,
    /// From the first byte.
    Tls,
}

impl SmtpTls {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// Who we are to the server. Never shown.
#[derive(Clone)]
pub(crate) struct SmtpLogin {
    pub(crate) user: String,
    password: SecretString,
}

impl SmtpLogin {
    pub(crate) fn password(&self) -> &str {
        self.password.expose_secret()
    }
}

impl fmt::Debug for SmtpLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpLogin({}, …)", self.user)
    }
}

impl Smtp {
    /// Nothing when there is no host: then no mail is sent.
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        let host = source
            .text("SYSNDD_SMTP_HOST")
            .map(|text| text.trim().to_owned());
        let is_here = matches!(
            host.as_deref(),
            Some("localhost" | "127.0.0.1" | "::1" | "[::1]")
        );
        // What leaves this machine is encrypted unless it is said that it need not be.
        let usual = if is_here {
            SmtpTls::None
        } else {
            SmtpTls::StartTls
        };
        let tls = source.value("SYSNDD_SMTP_TLS", usual, |text| match text {
            "none" => Ok(SmtpTls::None),
            "starttls" => Ok(SmtpTls::StartTls),
            "tls" => Ok(SmtpTls::Tls),
            _ => Err("must be none, starttls or tls".to_owned()),
        });
        let port = source.value("SYSNDD_SMTP_PORT", tls.usual_port(), |text| {
            text.parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| "must be a port number".to_owned())
        });
        let login = Self::login(source);
        let from = source.value("SYSNDD_SMTP_FROM", None, |text| {
            text.parse().map(Some).map_err(|_| {
                "must be an address such as SysNDD <no-reply@sysndd.example.org>".to_owned()
            })
        });
        let timeout = source.value("SYSNDD_SMTP_TIMEOUT", DEFAULT_TIMEOUT, duration);
        let host = host?;
        if login.is_some() && tls == SmtpTls::None && !is_here {
            source.fault(
                "SYSNDD_SMTP_PASSWORD",
                "would cross the network in the clear; set SYSNDD_SMTP_TLS to starttls or tls, or sign in without it",
            );
        }
        let Some(from) = from else {
            source.fault(
                "SYSNDD_SMTP_FROM",
                "is not set, or not an address; SYSNDD_SMTP_HOST asks for mail to be sent, so say from whom",
            );
            return None;
        };
        Some(Self {
            host,
            port,
            tls,
            login,
            from,
            timeout,
        })
    }

    fn login(source: &mut Source) -> Option<SmtpLogin> {
        let user = source.text("SYSNDD_SMTP_USER");
        let password = source.text("SYSNDD_SMTP_PASSWORD").map(SecretString::from);
        match (user, password) {
            (Some(user), Some(password)) => Some(SmtpLogin { user, password }),
            (None, None) => None,
            (Some(_), None) => {
                source.fault(
                    "SYSNDD_SMTP_PASSWORD",
                    "is not set, and SYSNDD_SMTP_USER is; set both or neither",
                );
                None
            }
            (None, Some(_)) => {
                source.fault(
                    "SYSNDD_SMTP_USER",
                    "is not set, and SYSNDD_SMTP_PASSWORD is; set both or neither",
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Smtp>, String> {
        let pairs = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let mut source = Source::new(pairs);
        let smtp = Smtp::read(&mut source);
        source
            .finish(Some(smtp))
            .map_err(|faults| faults.to_string())
    }

    const FROM: (&str, &str) = ("SYSNDD_SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>");

    #[test]
    fn without_a_host_there_is_no_mail_and_no_fault() {
        assert!(read(&[]).expect("no fault").is_none());
        assert!(read(&[FROM]).expect("no fault").is_none());
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_told_otherwise() {
        for (host, told, tls, port) in [
            ("mail.example.org", "", SmtpTls::StartTls, 587),
            ("mail.example.org", "tls", SmtpTls::Tls, 465),
            ("mail.example.org", "none", SmtpTls::None, 25),
            ("localhost", "", SmtpTls::None, 25),
        ] {
            let smtp = read(&[("SYSNDD_SMTP_HOST", host), ("SYSNDD_SMTP_TLS", told), FROM]);
            let smtp = smtp.expect("no fault").expect("mail");
            assert_eq!((smtp.tls, smtp.port), (tls, port), "{host} {told}");
        }
    }

    #[test]
    fn a_password_does_not_cross_a_network_in_the_clear_and_is_never_shown() {
        let given = [
            ("SYSNDD_SMTP_HOST", "mail.example.org"),
            ("SYSNDD_SMTP_USER", "sysndd"),
            ("SYSNDD_SMTP_PASSWORD", "canary-7"),
            FROM,
        ];
        let smtp = read(&given).expect("no fault").expect("mail");
        let shown = format!("{smtp:?}");
        assert!(
            !shown.contains("canary") && shown.contains("sysndd"),
            "{shown}"
        );
        let faults = read(&[&given[..], &[("SYSNDD_SMTP_TLS", "none")]].concat());
        let faults = faults.expect_err("in the clear");
        assert!(
            faults.contains("SYSNDD_SMTP_PASSWORD: would cross"),
            "{faults}"
        );
        assert!(!faults.contains("canary"), "{faults}");
    }

    #[test]
    fn half_a_login_and_a_host_without_a_sender_are_faults() {
        for (given, fault) in [
            (
                ("SYSNDD_SMTP_USER", "sysndd"),
                "SYSNDD_SMTP_PASSWORD: is not set",
            ),
            (
                ("SYSNDD_SMTP_PASSWORD", "x"),
                "SYSNDD_SMTP_USER: is not set",
            ),
            (("SYSNDD_SMTP_PORT", "0"), "SYSNDD_SMTP_PORT: must be"),
            (("SYSNDD_SMTP_TLS", "ssl"), "SYSNDD_SMTP_TLS: must be"),
        ] {
            let faults = read(&[("SYSNDD_SMTP_HOST", "localhost"), given, FROM]);
            let faults = faults.expect_err(fault);
            assert!(faults.contains(fault), "{faults}");
        }
        let faults = read(&[("SYSNDD_SMTP_HOST", "localhost")]).expect_err("no sender");
        assert!(faults.contains("SYSNDD_SMTP_FROM: is not set"), "{faults}");
    }
}
