//! What the upstream list should be. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use sysndd_protocol::{ReleaseId, ReplicaName};

/// A replica of the upstream, as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: ReplicaName,
    pub(crate) release: ReleaseId,
    pub(crate) ready: bool,
}

/// Another list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) added: BTreeSet<ReplicaName>,
    pub(crate) removed: BTreeSet<ReplicaName>,
    /// All that are in it now.
    pub(crate) servers: BTreeSet<ReplicaName>,
}

/// Which of `names` stand in the text of a list, whatever its syntax: as whole words.
pub(crate) fn listed<'a>(
    text: &str,
    names: impl Iterator<Item = &'a ReplicaName>,
) -> BTreeSet<ReplicaName> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let words: BTreeSet<&str> = text.split(|c| !is_name(c)).collect();
    names
        .filter(|name| words.contains(name.as_str()))
        .cloned()
        .collect()
}

/// The releases of those that are in the list.
pub(crate) fn releases(in_list: &BTreeSet<ReplicaName>, seen: &[Seen]) -> BTreeSet<ReleaseId> {
    seen.iter()
        .filter(|seen| in_list.contains(&seen.name))
        .map(|seen| seen.release.clone())
        .collect()
}

/// The list that should be instead of `in_list`; `None` when it is right, or when nobody is ready.
///
/// Only these releases belong there: what a deployment that was cut off left running beside them was
/// never proven.
pub(crate) fn decide(
    in_list: &BTreeSet<ReplicaName>,
    belong: &BTreeSet<ReleaseId>,
    seen: &[Seen],
) -> Option<Change> {
    let servers: BTreeSet<ReplicaName> = seen
        .iter()
        .filter(|seen| seen.ready && belong.contains(&seen.release))
        .map(|seen| seen.name.clone())
        .collect();
    if servers.is_empty() || servers == *in_list {
        return None;
    }
    Some(Change {
        added: servers.difference(in_list).cloned().collect(),
        removed: in_list.difference(&servers).cloned().collect(),
        servers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<ReplicaName> {
        names.iter().map(|name| ReplicaName::new(*name)).collect()
    }

    fn seen(replicas: &[(&str, &str, bool)]) -> Vec<Seen> {
        let seen = |(name, release, ready): &(&str, &str, bool)| Seen {
            name: ReplicaName::new(*name),
            release: ReleaseId::new(*release),
            ready: *ready,
        };
        replicas.iter().map(seen).collect()
    }

    /// As on the first look, when all that is known is what is in the list.
    fn first(in_list: &BTreeSet<ReplicaName>, seen: &[Seen]) -> Option<Change> {
        decide(in_list, &releases(in_list, seen), seen)
    }

    #[test]
    fn who_is_not_ready_leaves_the_list() {
        let change = first(
            &names(&["a-1", "a-2"]),
            &seen(&[("a-1", "r1", true), ("a-2", "r1", false)]),
        );
        let change = change.expect("a change");
        assert_eq!(change.servers, names(&["a-1"]));
        assert_eq!(change.removed, names(&["a-2"]));
        assert!(change.added.is_empty());
    }

    #[test]
    fn who_is_ready_again_comes_back() {
        let change = first(
            &names(&["a-1"]),
            &seen(&[("a-1", "r1", true), ("a-2", "r1", true)]),
        );
        assert_eq!(change.expect("a change").added, names(&["a-2"]));
    }

    #[test]
    fn the_list_is_never_emptied() {
        let both = seen(&[("a-1", "r1", false), ("a-2", "r1", false)]);
        assert_eq!(first(&names(&["a-1", "a-2"]), &both), None);
    }

    #[test]
    fn the_one_that_is_ready_replaces_the_last_one_that_is_not() {
        let change = first(
            &names(&["a-1"]),
            &seen(&[("a-1", "r1", false), ("a-2", "r1", true)]),
        );
        assert_eq!(change.expect("a change").servers, names(&["a-2"]));
    }

    #[test]
    fn what_a_deployment_left_unproven_does_not_come_in() {
        let left = seen(&[("a-1", "r1", true), ("b-1", "r2", true)]);
        assert_eq!(first(&names(&["a-1"]), &left), None);
    }

    #[test]
    fn the_last_of_its_release_that_left_comes_back() {
        // A deployment leaves replicas with labels of before where nothing of theirs changed.
        let mixed = seen(&[("a-1", "r1", true), ("b-1", "r2", true)]);
        let belong = releases(&names(&["a-1", "b-1"]), &mixed);
        let change = decide(&names(&["a-1"]), &belong, &mixed);
        assert_eq!(change.expect("a change").added, names(&["b-1"]));
    }

    #[test]
    fn a_right_list_stays() {
        let both = seen(&[("a-1", "r1", true), ("a-2", "r1", true)]);
        assert_eq!(first(&names(&["a-1", "a-2"]), &both), None);
    }

    #[test]
    fn a_name_that_begins_like_another_is_another() {
        let all = names(&["x-api-r1-1", "x-api-r1-10"]);
        let text = "upstream u {\n    server x-api-r1-10:8080 resolve;\n}";
        assert_eq!(listed(text, all.iter()), names(&["x-api-r1-10"]));
    }
}
