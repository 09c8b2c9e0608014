use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::config::{self, Environment, ProjectName, Stack};

const STACK: &str = r#"
project = "demo"

[services.db]
image = "db:1"
user = "999:998"
tls = { dir = "/run/tls", names = ["db.example.org", "10.0.0.7"] }

[services.api]
image = "api:1"
tls = { dir = "/run/tls", certificate = false }
"#;

fn stack() -> Stack {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sysndd.toml");
    std::fs::write(&path, STACK).unwrap();
    let environment = Environment {
        variables: BTreeMap::new(),
        caller: config::Caller { uid: 0, gid: 0 },
        directory: directory.path().to_path_buf(),
    };
    config::load(&path, &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z")
        .unwrap()
        .to_utc()
}

/// A project and its clock.
struct Project {
    stack: Stack,
    known: Known,
    now: DateTime<Utc>,
}

impl Project {
    fn new() -> Self {
        Self {
            stack: stack(),
            known: Known::default(),
            now: now(),
        }
    }

    fn due(&self, service: &str) -> Option<(Order, &'static str)> {
        let service = &self.stack.services[&ServiceName::new(service)];
        let tls = service.tls.as_ref().unwrap();
        self.known.due(service, tls, self.now, false)
    }

    /// What `up` does; the answer is what was made, by service.
    fn up(&mut self) -> Vec<(String, &'static str)> {
        if self.known.wants_authority(self.now) {
            let authority = new_authority(&ProjectName::new("demo"), self.now).unwrap();
            self.known.add(TlsRecord::Authority(authority));
        }
        let mut made = Vec::new();
        for name in ["db", "api"] {
            if let Some((order, cause)) = self.due(name) {
                issue(&order).unwrap();
                self.known.add(TlsRecord::Issued(order.issued));
                made.push((name.to_owned(), cause));
            }
        }
        made
    }

    fn after(&mut self, days: i64) -> Vec<(String, &'static str)> {
        self.now += TimeDelta::days(days);
        self.up()
    }
}

fn made(entries: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    let own = |&(name, cause): &(&str, &'static str)| (name.to_owned(), cause);
    entries.iter().map(own).collect()
}

#[test]
fn each_service_is_given_what_it_asks_for_once() {
    let mut project = Project::new();
    let (order, _) = project.due("db").unwrap();
    assert!(issue(&order).is_err(), "there is no authority yet");
    assert_eq!(
        project.up(),
        made(&[("db", "it has none yet"), ("api", "it has none yet")])
    );
    assert_eq!(project.up(), []);
    let issued = &project.known.issued[&ServiceName::new("db")];
    assert_eq!(issued.names, ["db", "db.example.org", "10.0.0.7"]);
    assert_eq!(issued.owner, Owner { uid: 999, gid: 998 });
    let issued = &project.known.issued[&ServiceName::new("api")];
    assert_eq!((issued.names.len(), issued.not_after), (0, None));
}

#[test]
fn a_certificate_is_renewed_when_a_year_is_left_and_trust_needs_no_renewal() {
    let mut project = Project::new();
    project.up();
    assert_eq!(project.after(360), []);
    assert_eq!(
        project.after(10),
        made(&[("db", "its certificate has less than a year left")])
    );
    assert_eq!(project.up(), []);
}

#[test]
fn other_names_and_a_lost_volume_are_reasons_to_make_it_again() {
    let mut project = Project::new();
    project.up();
    let name = ServiceName::new("db");
    let service = &project.stack.services[&name];
    let mut tls = service.tls.clone().unwrap();
    let lost = project.known.due(service, &tls, project.now, true);
    assert_eq!(lost.unwrap().1, "its volume is missing");
    tls.names.pop();
    let renamed = project.known.due(service, &tls, project.now, false);
    assert_eq!(renamed.unwrap().1, "its names changed");
}

#[test]
fn another_owner_matters_to_whom_has_a_key() {
    let mut project = Project::new();
    project.up();
    for (name, cause) in [("db", Some("who reads its key changed")), ("api", None)] {
        let service = &project.stack.services[&ServiceName::new(name)];
        let mut tls = service.tls.clone().unwrap();
        tls.owner = Some(Owner { uid: 4, gid: 2 });
        let due = project.known.due(service, &tls, project.now, false);
        assert_eq!(due.map(|(_, cause)| cause), cause, "{name}");
    }
}

#[test]
fn everyone_trusts_a_new_authority_before_it_signs_anything() {
    let mut project = Project::new();
    project.up();
    let first = project.known.authorities[0].clone();
    let mut trusted_since = None;
    // A stack that is deployed once a year, for longer than an authority lives.
    for _ in 0..30 {
        project.after(360);
        let (order, signer) = {
            let service = &project.stack.services[&ServiceName::new("db")];
            let order = project
                .known
                .order(service, service.tls.as_ref().unwrap(), project.now);
            let signer = order.signer.clone().unwrap();
            (order, signer)
        };
        let trusts = &project.known.issued[&ServiceName::new("api")].authorities;
        assert!(trusts.contains(&signer.id), "{trusts:?} at {}", project.now);
        assert!(signer.not_after >= order.issued.not_after.unwrap());
        if trusts.len() > 1 {
            trusted_since.get_or_insert(project.now);
        }
        if signer.id != first.id {
            let before = project.now - trusted_since.unwrap();
            assert!(before >= TimeDelta::days(300), "{before}");
            return;
        }
    }
    panic!("the first authority signed for ever");
}

#[test]
fn what_is_made_is_pem_and_no_key_is_shown() {
    let mut project = Project::new();
    project.up();
    let (order, _) = {
        project.known.issued.clear();
        project.due("db").unwrap()
    };
    let files = issue(&order).unwrap();
    let (certificate, key) = files.own.clone().unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(key.pem().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(files.authorities, project.known.authorities[0].certificate);
    let shown = format!("{files:?} {order:?} {:?}", project.known);
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn records_read_back_as_they_were_written() {
    let mut project = Project::new();
    project.up();
    let authority = project.known.authorities[0].clone();
    let issued = project.known.issued[&ServiceName::new("db")].clone();
    for record in [TlsRecord::Authority(authority), TlsRecord::Issued(issued)] {
        let written = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<TlsRecord>(&written).unwrap(), record);
    }
}
