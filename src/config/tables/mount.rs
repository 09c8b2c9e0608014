//! An item of `volumes` of a service.

use serde_json::json;

use super::container_path;
use crate::config::{
    grammar,
    read::{Kind, Shape, Table, boolean, either, parsed, plain, then, whole_table},
    stack::{Mount, MountSource},
};

/// `"SOURCE:TARGET[:ro]"`, or a table.
pub(super) fn mount() -> impl Shape<Out = Mount> {
    let short = parsed(
        json!({ "type": "string", "examples": ["data:/var/lib/data", "./files:/files:ro"] }),
        grammar::mount,
    );
    then(
        either(short, whole_table(long)),
        |mut mount, place, pass| {
            match &mut mount.source {
                MountSource::Volume(name) => pass.refer(Kind::Volume, name.as_str(), place),
                MountSource::Bind(path) => {
                    match grammar::bind_path(path, pass.root, pass.home.as_deref()) {
                        Ok(absolute) => *path = absolute,
                        Err(problem) => {
                            pass.fault_at(place, problem.message, problem.hint.unwrap_or_default());
                            return None;
                        }
                    }
                }
            }
            Some(mount)
        },
    )
}

fn long(t: &mut Table<'_, '_>) -> Option<Mount> {
    let source = t.required(
        "source",
        "Name of a volume, or a path of the engine's host that begins with /, ./ or ~/.",
        then(plain(), |text, place, pass| {
            match grammar::mount_source(&text) {
                Ok(source) => Some(source),
                Err(why) => {
                    let hint = "write the name of a volume, or a path";
                    pass.fault_at(place, format!("`{text}` cannot be mounted: {why}"), hint);
                    None
                }
            }
        }),
    );
    let target = t.required("target", "Path inside the container.", container_path());
    let read_only = t.optional("read_only", "Default: false.", boolean());
    let chown = t.optional(
        "chown",
        "Bind mounts only: give the directory to the service's user instead of refusing. Default: false.",
        boolean(),
    );
    if chown == Some(true) && matches!(source, Some(MountSource::Volume(_))) {
        let hint = "take it away; [volumes.‹name›] may say `owner`";
        t.fault("chown", "a named volume gets its owner by itself", hint);
    }
    Some(Mount {
        source: source?,
        target: target?,
        read_only: read_only.unwrap_or_default(),
        chown: chown.unwrap_or_default(),
    })
}
