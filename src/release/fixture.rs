//! Records for tests.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use sysndd_protocol::ReleaseId;

use super::{
    ImageRecord, JournalEntry, Manifest, NewManifest, Outcome, ServiceRecord, State, Verdict, Who,
    Why,
    journal::{Begin, End, OperationEntry, Phase, PlannedOperation},
    state::{Run, RunId},
};
use crate::{
    config::{self, Caller, Environment, Stack},
    plan::Before,
};

/// So many seconds after the beginning of all tests.
pub(super) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::seconds(1_795_168_800 + seconds)
}

pub(super) fn who() -> Who {
    Who {
        user: "ana".to_owned(),
        host: "laptop".to_owned(),
        pid: 4711,
    }
}

/// A stack of one service.
pub(super) fn stack(text: &str) -> Stack {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sysndd.toml");
    std::fs::write(&path, text).unwrap();
    let environment = Environment {
        variables: BTreeMap::new(),
        caller: Caller { uid: 0, gid: 0 },
        directory: directory.path().to_owned(),
    };
    config::load(&path, &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn new_manifest(id: &str, stack: &Stack, edge_template: &str) -> NewManifest {
    let services = stack.services.values().map(|service| {
        let record = ServiceRecord {
            image: ImageRecord {
                id: format!("sha256:{}-{id}", service.name),
                reference: None,
                digest: None,
            },
            replicas: service.replicas,
            config_hash: format!("{}-{id}", service.name),
        };
        (service.name.clone(), record)
    });
    NewManifest {
        id: ReleaseId::new(id),
        created_at: time(0),
        by: who(),
        why: Why::Deploy,
        message: None,
        revision: None,
        services: services.collect(),
        migration_head: None,
        restore_point: None,
        edge_template: edge_template.to_owned(),
    }
}

/// A release of a stack of one service, with an image of its own.
pub(super) fn manifest(id: &str) -> Manifest {
    let stack = stack("project = \"demo\"\n[services.app]\nimage = \"app:1\"\n");
    let mut manifest = Manifest::new(&stack, new_manifest(id, &stack, ""));
    // The same each time it is asked for.
    manifest.source.path = "/stack/sysndd.toml".into();
    manifest
}

pub(super) fn verdict(pass: bool) -> Verdict {
    Verdict {
        schema: "sysndd-deploy/verdict/1".to_owned(),
        at: time(0),
        by: who(),
        pass,
        report: serde_json::json!({ "verdict": if pass { "pass" } else { "fail" } }),
    }
}

/// A state of these releases, each with what `verify` said of it.
pub(super) fn state<const N: usize>(releases: [(&str, Option<bool>); N]) -> State {
    let mut state = State::default();
    for (id, pass) in releases {
        let manifest = manifest(id);
        if let Some(pass) = pass {
            state
                .verdicts
                .insert(manifest.id.clone(), vec![verdict(pass)]);
        }
        state.releases.insert(manifest.id.clone(), manifest);
    }
    state
}

/// The image of the one service of a release.
pub(super) fn image(id: &str) -> String {
    format!("sha256:app-{id}")
}

/// A run of three operations that began so many seconds in.
pub(super) fn begin(seconds: i64, to: Option<&str>) -> Begin {
    let operation = |id: usize, action: &str| PlannedOperation {
        id,
        action: action.to_owned(),
        subject: format!("app-{id}"),
        cause: "missing".to_owned(),
    };
    Begin {
        run: RunId::at(time(seconds)),
        command: "up".to_owned(),
        by: who(),
        at: time(seconds),
        from: None,
        to: to.map(ReleaseId::new),
        operations: vec![
            operation(0, "create"),
            operation(1, "start"),
            operation(2, "await ready"),
        ],
        retire_from: Some(2),
        before: Before::default(),
        manifest: to.map(manifest),
    }
}

pub(super) fn operation(id: usize, seconds: i64, phase: Phase) -> JournalEntry {
    JournalEntry::Operation(OperationEntry {
        id,
        at: time(seconds),
        phase,
    })
}

pub(super) fn end(outcome: Outcome) -> JournalEntry {
    JournalEntry::End(End {
        at: time(60),
        outcome,
        message: Some("it never became ready".to_owned()),
    })
}

/// Adds a run to a state.
pub(super) fn add(state: &mut State, begin: Begin, rest: Vec<JournalEntry>) -> RunId {
    let id = begin.run.clone();
    let mut entries = vec![JournalEntry::Begin(Box::new(begin))];
    entries.extend(rest);
    state.runs.insert(id.clone(), Run { entries, next: 1 });
    id
}
