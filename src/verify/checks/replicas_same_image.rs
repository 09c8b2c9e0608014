//! `replicas.same-image`: all replicas of a service run one image and one configuration.

use std::collections::BTreeMap;

use crate::{
    observe::Replica,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "replicas.same-image",
    suite: Suite::Replicas,
    requirements: &["PROD-01"],
    expected: "all replicas of a service run the same image with the same configuration",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let mut faults = Vec::new();
    for service in context.stack.services.keys() {
        let replicas: Vec<&Replica> = context.evidence.observed.replicas_of(service).collect();
        faults.extend(differing(&replicas, "image", |replica| &replica.image));
        faults.extend(differing(&replicas, "configuration", |replica| {
            &replica.config_hash
        }));
    }
    Outcome::judge(&faults, "one image and one configuration per service")
}

/// Names the minority, which is the one that an operator looks for.
fn differing(
    replicas: &[&Replica],
    what: &str,
    key: impl Fn(&Replica) -> &String,
) -> Option<String> {
    let mut groups: BTreeMap<&String, Vec<&Replica>> = BTreeMap::new();
    for replica in replicas {
        groups.entry(key(replica)).or_default().push(replica);
    }
    let (usual, _) = groups.iter().max_by_key(|(_, members)| members.len())?;
    let usual = *usual;
    let others: Vec<String> = groups
        .iter()
        .filter(|(value, _)| **value != usual)
        .flat_map(|(value, members)| {
            members
                .iter()
                .map(move |replica| format!("{} has {what} {}", replica.name, short(value)))
        })
        .collect();
    (!others.is_empty()).then(|| format!("{}, the others {}", others.join(", "), short(usual)))
}

fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}
