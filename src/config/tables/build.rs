//! `build` of a service.

use std::path::PathBuf;

use super::{base_ref, local_path};
use crate::config::{
    files::Needed,
    grammar,
    read::{Shape, Table, any_text, bare_integer, either, list, map, plain, then},
    secrets::{hide_all, is_secret_name},
    stack::Build,
};

/// User and group of the application in an image, when the file does not say.
const DEFAULT_ID: u32 = 1000;

pub(super) fn build(t: &mut Table<'_, '_>) -> Build {
    let context = t.optional(
        "context",
        "Directory sent to the engine. Default: .",
        local_path(),
    );
    let dockerfile = t.optional(
        "dockerfile",
        "Relative to `context`. Default: Dockerfile",
        local_path(),
    );
    let target = t.optional("target", "Stage to stop at.", plain());
    let args = t.optional(
        "args",
        "Build-args.",
        map(grammar::variable, grammar::VARIABLE_PATTERN, any_text()),
    );
    let bases = t.optional(
        "bases",
        "Base images handed in as build-args ‹NAME›_IMAGE.",
        list(base_ref()),
    );
    let uid = t.optional(
        "uid",
        "Build-arg UID; \"host\" takes the caller's. Default: 1000.",
        id(),
    );
    let gid = t.optional(
        "gid",
        "Build-arg GID; \"host\" takes the caller's. Default: 1000, or the caller's with uid = \"host\".",
        id(),
    );
    // A path at fault is not looked for under its default.
    let context_is_known = context.is_some() || t.written(["context"]).is_empty();
    let dockerfile_is_known = dockerfile.is_some() || t.written(["dockerfile"]).is_empty();
    let context = context.unwrap_or_else(|| PathBuf::from("."));
    let dockerfile = dockerfile.unwrap_or_else(|| PathBuf::from("Dockerfile"));
    if context_is_known {
        t.need(
            "context",
            Needed::directory("build context", context.clone()),
        );
    }
    if context_is_known && dockerfile_is_known {
        let path = context.join(&dockerfile);
        t.need(
            "dockerfile",
            Needed::file("Dockerfile", path).within(context.clone()),
        );
    }
    let host_user = matches!(uid, Some(Id::Host { .. }));
    if matches!(gid, Some(Id::Host { .. })) && !host_user {
        t.fault(
            "gid",
            "the caller's group goes with the caller's user",
            "write uid = \"host\" too",
        );
    }
    let number = |id: Id| match id {
        Id::Number(number) => number,
        Id::Host { uid, .. } => uid,
    };
    let gid = match (gid, uid) {
        (Some(Id::Number(number)), _) => number,
        (Some(Id::Host { gid, .. }), _) | (None, Some(Id::Host { gid, .. })) => gid,
        (None, _) => DEFAULT_ID,
    };
    let args = args.unwrap_or_default().into_iter().map(|(name, value)| {
        let value = if is_secret_name(&name) {
            hide_all(value)
        } else {
            value
        };
        (name, value)
    });
    Build {
        context,
        dockerfile,
        target,
        args: args.collect(),
        bases: bases.unwrap_or_default(),
        uid: uid.map_or(DEFAULT_ID, number),
        gid,
        host_user,
    }
}

/// A user's or group's number, or whose it is.
#[derive(Clone, Copy)]
enum Id {
    Number(u32),
    Host { uid: u32, gid: u32 },
}

fn id() -> impl Shape<Out = Id> {
    either(
        then(bare_integer(0..=u32::MAX.into()), |number, _, _| {
            Some(Id::Number(number))
        }),
        then(plain(), |word, place, pass| {
            // What a reference resolves to is text.
            if let Ok(number) = word.trim().parse() {
                return Some(Id::Number(number));
            }
            if word == "host" {
                return Some(Id::Host {
                    uid: pass.caller.uid,
                    gid: pass.caller.gid,
                });
            }
            let message = format!("`{word}` is neither a number nor \"host\"");
            pass.fault_at(
                place,
                message,
                "write a number without quotes, such as 1000, or \"host\"",
            );
            None
        }),
    )
}
