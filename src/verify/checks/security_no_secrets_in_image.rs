//! `security.no-secrets-in-image`: whoever gets hold of an image gets no secret with it.

use std::collections::BTreeMap;

use futures::future;

use crate::verify::{Check, Context, Outcome, Suite, secrets::Secrets};

pub(super) const CHECK: Check = Check {
    id: "security.no-secrets-in-image",
    suite: Suite::Security,
    requirements: &["PD-3.1"],
    expected: "no secret of the stack stands in an image's environment, labels, command or history",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let secrets = Secrets::of(context.stack);
    if secrets.len() == 0 {
        return Outcome::skip("the stack has no secret of eight characters or more");
    }
    let images: BTreeMap<&str, &str> = context
        .evidence
        .observed
        .replicas
        .iter()
        .map(|replica| (replica.image.as_str(), replica.name.as_str()))
        .collect();
    if images.is_empty() {
        return Outcome::skip("no container is there");
    }
    let words = future::join_all(images.keys().map(|image| context.engine.image_words(image)));
    let mut faults = Vec::new();
    for (user, words) in images.values().zip(words.await) {
        match words {
            Err(error) => faults.push(error.to_string()),
            Ok(words) => {
                for (place, text) in &words {
                    for name in secrets.in_text(text) {
                        faults.push(format!("{name} stands in {place} of the image of {user}"));
                    }
                }
            }
        }
    }
    faults.dedup();
    Outcome::judge(
        &faults,
        format!(
            "{} secrets, in none of {} images",
            secrets.len(),
            images.len()
        ),
    )
}
