//! `data.owner`: the application runs as the user that the image was built for, and the data
//! directory is that user's.

use futures::future;

use crate::{
    config::ImageSource,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "data.owner",
    suite: Suite::Data,
    requirements: &["DEPLOY-01", "DEPLOY-02", "PD-1.3"],
    expected: "every replica runs as the configured user, which owns the data directory",
    strains: false,
    run: |context| Box::pin(check(context)),
};

const WHO: &str = r#"echo "$(id -u) $(stat -c %u "$1")""#;

async fn check(context: &Context<'_>) -> Outcome {
    let Some(data) = &context.stack.verify.data else {
        return Outcome::skip("the stack has no [verify.data]");
    };
    let service = &context.stack.services[&data.service];
    let wanted = match (&service.user, &service.image) {
        (Some(user), _) => user.split(':').next().and_then(|uid| uid.parse().ok()),
        (None, ImageSource::Build(build)) => Some(build.uid),
        (None, _) => None,
    };
    let replicas: Vec<_> = context
        .evidence
        .observed
        .replicas_of(&data.service)
        .collect();
    let answers = future::join_all(replicas.iter().map(|replica| async {
        if !replica.is_running() {
            return Err("it does not run".to_owned());
        }
        let command = ["sh", "-c", WHO, "verify", &data.path];
        let output = context.exec(replica, &command).await;
        let output = output.map_err(|error| error.to_string())?;
        let text = output.text();
        let mut numbers = text.split_whitespace().map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(uid)), Some(Ok(owner))) => Ok((uid, owner)),
            _ => Err(text),
        }
    }))
    .await;
    let mut faults = Vec::new();
    for (replica, answer) in replicas.iter().zip(answers) {
        match answer {
            Err(cause) => faults.push(format!("{}: {cause}", replica.name)),
            Ok((uid, owner)) => {
                if let Some(wanted) = wanted.filter(|wanted| *wanted != uid) {
                    faults.push(format!("{} runs as {uid}, not as {wanted}", replica.name));
                }
                if uid != owner {
                    faults.push(format!(
                        "{} runs as {uid}, but {} is {owner}'s",
                        replica.name, data.path
                    ));
                }
            }
        }
    }
    if replicas.is_empty() {
        faults.push(format!("no replica of {} is there", data.service));
    }
    let who = wanted.map_or_else(|| "one user".to_owned(), |uid| format!("user {uid}"));
    Outcome::judge(
        &faults,
        format!(
            "{} replicas run as {who}, the owner of {}",
            replicas.len(),
            data.path
        ),
    )
}
