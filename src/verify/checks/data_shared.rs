//! `data.shared`: what one replica writes, every other reads. Tried, with files that are removed.

use futures::future;

use crate::{
    observe::Replica,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "data.shared",
    suite: Suite::Data,
    requirements: &["TEST-03", "DEPLOY-01"],
    expected: "every replica writes a file as its own user, every other reads it with the same content",
    strains: false,
    run: |context| Box::pin(check(context)),
};

const WRITE: &str = r#"printf %s "$2" > "$1""#;
const READ: &str = r#"for file; do printf '%s\n' "$(cat "$file" 2>/dev/null)"; done"#;

async fn check(context: &Context<'_>) -> Outcome {
    let Some(data) = &context.stack.verify.data else {
        return Outcome::skip("the stack has no [verify.data]");
    };
    let replicas: Vec<&Replica> = context
        .evidence
        .observed
        .replicas_of(&data.service)
        .collect();
    if replicas.is_empty() {
        return Outcome::fail(format!("no replica of {} is there", data.service));
    }
    let nonce = format!("{:016x}", rand::random::<u64>());
    let files: Vec<String> = replicas
        .iter()
        .map(|replica| {
            format!(
                "{}/.verify-{nonce}-{}",
                data.path.trim_end_matches('/'),
                replica.number
            )
        })
        .collect();

    let mut faults = Vec::new();
    let written = future::join_all(replicas.iter().zip(&files).map(|(replica, file)| {
        let content = content(&nonce, replica);
        async move { sh(context, replica, WRITE, &[file, &content]).await }
    }))
    .await;
    for (replica, result) in replicas.iter().zip(written) {
        if let Err(cause) = result {
            faults.push(format!(
                "{} (user {}) cannot write: {cause}",
                replica.name,
                user(replica)
            ));
        }
    }

    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let read = future::join_all(
        replicas
            .iter()
            .map(|replica| sh(context, replica, READ, &names)),
    )
    .await;
    let mut pairs = 0;
    for (reader, result) in replicas.iter().zip(read) {
        match result {
            Err(cause) => faults.push(format!("{} cannot read: {cause}", reader.name)),
            Ok(text) => {
                let lines: Vec<&str> = text.lines().collect();
                for (index, writer) in replicas.iter().enumerate() {
                    if lines.get(index).copied() == Some(content(&nonce, writer).as_str()) {
                        pairs += usize::from(writer.name != reader.name);
                    } else {
                        faults.push(format!(
                            "{} does not see the file of {}",
                            reader.name, writer.name
                        ));
                    }
                }
            }
        }
    }
    faults.extend(clean_up(context, &replicas, &names).await);
    Outcome::judge(
        &faults,
        format!(
            "{} replicas, {pairs} pairs of writer and reader",
            replicas.len()
        ),
    )
}

/// Each removes its own file; one that is left over is a fault that is told.
async fn clean_up(context: &Context<'_>, replicas: &[&Replica], files: &[&str]) -> Vec<String> {
    const REMOVE: &str = r#"rm -f -- "$1" && [ ! -e "$1" ]"#;
    let removed = future::join_all(
        replicas
            .iter()
            .zip(files)
            .map(|(replica, file)| async move {
                let result = sh(context, replica, REMOVE, &[file]).await;
                result.err().filter(|_| replica.is_running()).map(|cause| {
                    format!("{file} could not be removed by {}: {cause}", replica.name)
                })
            }),
    );
    removed.await.into_iter().flatten().collect()
}

fn content(nonce: &str, replica: &Replica) -> String {
    format!("{nonce} {}", replica.name)
}

fn user(replica: &Replica) -> &str {
    if replica.user.is_empty() {
        "root"
    } else {
        &replica.user
    }
}

async fn sh(
    context: &Context<'_>,
    replica: &Replica,
    script: &str,
    args: &[&str],
) -> Result<String, String> {
    if !replica.is_running() {
        return Err("it does not run".into());
    }
    let mut command = vec!["sh", "-c", script, "verify"];
    command.extend(args);
    let output = context
        .exec(replica, &command)
        .await
        .map_err(|e| e.to_string())?;
    if output.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(output.text())
    }
}
