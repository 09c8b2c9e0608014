//! What is put into volumes before anything runs on them. An archive can be unpacked into the volumes
//! of a container that never starts: this needs nothing in the image, and gives the directory itself
//! an owner.

use std::collections::BTreeMap;

use super::ExecuteError;
use crate::{
    config::{Owner, Stack},
    docker::{
        ArchiveEntry, ContainerSpec, Engine, EngineError, MountSpec, MountSpecSource, labels,
    },
    plan::Reload,
    tls,
};

/// Where a helper has the directory that the volume is mounted in.
const ABOVE: &str = "/mnt";

/// Gives the root of a volume to its user.
pub(super) async fn own(
    engine: &Engine,
    stack: &Stack,
    volume: &str,
    owner: Owner,
    image: &str,
) -> Result<(), EngineError> {
    let root = ArchiveEntry::Directory {
        path: "volume/",
        mode: 0o755,
        uid: owner.uid,
        gid: owner.gid,
    };
    let name = format!("{volume}-owner");
    put(engine, &helper(stack, name, volume, image), &[root]).await
}

/// Makes what was ordered, and writes it.
pub(super) async fn provide_tls(
    engine: &Engine,
    stack: &Stack,
    volume: &str,
    image: &str,
    order: &tls::Order,
) -> Result<(), ExecuteError> {
    let files = tls::issue(order)?;
    let owner = order.issued.owner;
    let public = |path, content| ArchiveEntry::File {
        path,
        content,
        mode: 0o644,
        uid: 0,
        gid: 0,
    };
    let mut entries = vec![
        ArchiveEntry::Directory {
            path: "volume/",
            mode: 0o755,
            uid: 0,
            gid: 0,
        },
        public("volume/ca.pem", files.authorities.as_bytes()),
    ];
    if let Some((certificate, key)) = &files.own {
        entries.push(public("volume/cert.pem", certificate.as_bytes()));
        entries.push(ArchiveEntry::File {
            path: "volume/key.pem",
            content: key.pem().as_bytes(),
            mode: 0o400,
            uid: owner.uid,
            gid: owner.gid,
        });
    }
    let name = format!("{volume}-files");
    Ok(put(engine, &helper(stack, name, volume, image), &entries).await?)
}

/// Tells replicas of new files.
pub(super) async fn reload(engine: &Engine, reload: &Reload) -> Result<(), ExecuteError> {
    let command: Vec<&str> = reload.command.iter().map(String::as_str).collect();
    for replica in &reload.replicas {
        let output = engine.exec(replica.as_str(), &command).await?;
        if !output.success() {
            return Err(ExecuteError::Reload {
                replica: replica.clone(),
                code: output.exit_code,
                output: output.text(),
            });
        }
    }
    Ok(())
}

async fn put(
    engine: &Engine,
    helper: &ContainerSpec,
    entries: &[ArchiveEntry<'_>],
) -> Result<(), EngineError> {
    let id = engine.create(helper).await?;
    let done = engine.put_archive(&id, ABOVE, entries).await;
    let removed = engine.remove(&id).await;
    done.and(removed)
}

fn helper(stack: &Stack, name: String, volume: &str, image: &str) -> ContainerSpec {
    ContainerSpec {
        name,
        image: image.to_owned(),
        labels: [
            (labels::PROJECT.to_owned(), stack.project.to_string()),
            (labels::HELPER.to_owned(), "volume".to_owned()),
        ]
        .into(),
        environment: BTreeMap::default(),
        entrypoint: None,
        // Never run; but an image without a command of its own cannot be created without one.
        command: Some(vec!["true".into()]),
        user: None,
        mounts: vec![MountSpec {
            source: MountSpecSource::Volume(volume.to_owned()),
            target: format!("{ABOVE}/volume"),
            read_only: false,
        }],
        tmpfs: Vec::new(),
        ports: Vec::new(),
        network: "none".into(),
        aliases: Vec::new(),
        healthcheck: None,
        restart: "no".into(),
        stop_signal: None,
        stop_timeout_s: 0,
        read_only: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        no_new_privileges: true,
        memory: None,
        nano_cpus: None,
        pids: None,
    }
}
