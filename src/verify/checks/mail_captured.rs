//! `mail.captured`: a letter that the application sends arrives.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    config::VerifyMail,
    observe::Replica,
    probe::Request,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "mail.captured",
    suite: Suite::Mail,
    requirements: &["SMTP-01", "SMTP-02"],
    expected: "a letter that a replica is told to send is at the mail catcher within 10 s",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// "Within five seconds", and as long again for a machine under load.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

async fn check(context: &Context<'_>) -> Outcome {
    let Some(mail) = &context.stack.verify.mail else {
        return Outcome::skip(
            "the stack has no [verify.mail], or its catcher is of a profile that is not chosen",
        );
    };
    let running = |service| {
        let mut replicas = context.evidence.observed.replicas_of(service);
        replicas.find(|replica| replica.is_running())
    };
    let (Some(catcher), Some(sender)) = (running(&mail.catcher), running(&mail.service)) else {
        let gone = [&mail.catcher, &mail.service];
        let gone: Vec<String> = gone
            .into_iter()
            .filter(|service| running(service).is_none())
            .map(|service| format!("{service} does not run"))
            .collect();
        return Outcome::fail(gone.join("; "));
    };
    let address = format!("verify.{:016x}@example.org", rand::random::<u64>());
    if let Err(fault) = send(context, mail, sender, &address).await {
        return Outcome::fail(fault);
    }
    let began = Instant::now();
    loop {
        let last = match look(context, mail, catcher, &address).await {
            Ok(true) => {
                let took = began.elapsed().as_millis();
                return Outcome::pass(format!(
                    "a letter of {} arrived after {took} ms",
                    sender.name
                ));
            }
            Ok(false) => "it is not there".to_owned(),
            Err(cause) => cause,
        };
        if began.elapsed() > ARRIVES_WITHIN {
            let (sender, catcher) = (&sender.name, &catcher.name);
            return Outcome::fail(format!(
                "{sender} took the letter, and {catcher} did not get it within {} s: {last}",
                ARRIVES_WITHIN.as_secs()
            ));
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn send(
    context: &Context<'_>,
    mail: &VerifyMail,
    sender: &Replica,
    address: &str,
) -> Result<(), String> {
    let command: Vec<String> = mail
        .command
        .iter()
        .map(|word| word.replace("{address}", address))
        .collect();
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let sent = context.exec(sender, &words).await;
    let sent = sent.map_err(|error| error.to_string())?;
    if sent.success() {
        return Ok(());
    }
    let (code, told) = (sent.exit_code, sent.text());
    let last = told.lines().last().unwrap_or_default();
    Err(format!(
        "{} cannot send a letter: exit code {code}: {last}",
        sender.name
    ))
}

/// Whether one of the lists has it; the error says why none could be read.
async fn look(
    context: &Context<'_>,
    mail: &VerifyMail,
    catcher: &Replica,
    address: &str,
) -> Result<bool, String> {
    let mut trouble = None;
    let mut read = false;
    for path in &mail.paths {
        let request = Request::get(path);
        match context.prober.send(catcher, mail.port, &request).await {
            Ok(answer) if answer.status == 200 => {
                read = true;
                if String::from_utf8_lossy(&answer.body).contains(address) {
                    return Ok(true);
                }
            }
            Ok(answer) => trouble = Some(format!("GET {path} answers {}", answer.status)),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    match trouble {
        Some(cause) if !read => Err(cause),
        _ => Ok(false),
    }
}
