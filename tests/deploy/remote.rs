//! An engine on another machine: over ssh, by a Docker context, and when the link is lost.

use std::{collections::BTreeSet, fs, time::Duration, time::Instant};

use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::harness::{
    Call, DEADLINE, Deployment, FAR, Sshd, StackFile, eventually, get, program, replicas, root,
    text,
};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_stack_far_away_is_brought_up_proven_and_entered_by_one_login_a_command() {
    let (stack, far) = (Deployment::shipped(), Sshd::start().await);
    let call = |arguments: &[&str]| far.through(stack.call(arguments));

    let up = call(&["up", "--replicas", "2"]).json().await;
    assert_eq!(replicas(&up, "api").len(), 2);
    assert_eq!(far.logins(), 1, "{}", far.log());
    let status = call(&["status"]).json().await;
    let url = text(&status["url"]);
    assert!(
        url.starts_with("http://127.0.0.1:"),
        "{url} is not what `{FAR}` is an alias of"
    );
    assert_eq!(get(&url).await.expect("an answer").status(), 200);
    call(&["verify", "--replicas", "2"]).report().await.passes();
    let logs = call(&["logs", "api"]).ends_with(0).await.stdout;
    assert!(
        logs.contains("api-1 | ") && logs.contains("api-2 | "),
        "{logs}"
    );
    let said = call(&[
        "exec",
        "api.2",
        "--",
        "sh",
        "-c",
        "echo from $SYSNDD_REPLICA; exit 7",
    ]);
    let said = said.ends_with(7).await.stdout;
    assert!(
        said.starts_with("from ") && said.trim().ends_with("-2"),
        "{said}"
    );
    assert_eq!(far.logins(), 5, "{}", far.log());
    assert!(!far.log().contains("MaxStartups"), "{}", far.log());
    eventually("nobody who is logged in", async || {
        far.sessions().is_empty().then_some(())
    })
    .await;

    // What is not a container's own.
    let audit = call(&["audit"]).json().await;
    let records = audit["records"].as_array().expect("records");
    let commands: Vec<String> = records
        .iter()
        .map(|record| text(&record["command"]))
        .collect();
    assert_eq!(
        commands,
        [
            "up --replicas 2",
            "exec api.2 -- sh -c 'echo from $SYSNDD_REPLICA; exit 7'"
        ]
    );
}

/// A command that needs an engine and no secret.
fn asking(arguments: &[&str]) -> Call {
    program(&["status", "--config", "tests/stacks/frontend.toml"]).with(arguments)
}

/// Sixteen replicas of next to nothing, in a directory of its own.
fn choir() -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let recipe = root().join("images/debian");
    let text = format!(
        "project = \"choir\"\n[bases.images.debian]\nrecipe = {:?}\n[services.voice]\nbase = \"debian\"\n\
         replicas = 16\nstop_signal = \"SIGKILL\"\n\
         command = [\"bash\", \"-c\", \"while :; do echo la; sleep 0.2; done\"]\n",
        recipe.display().to_string()
    );
    fs::write(directory.path().join("sysndd.toml"), text).expect("a file");
    directory
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn sixteen_streams_go_over_one_connection_and_end_with_a_killed_command() {
    let (stack, far, choir) = (Deployment::shipped(), Sshd::start().await, choir());
    let file = choir.path().join("sysndd.toml");
    let call = |arguments: &[&str]| far.through(stack.call_by(&file, arguments));
    call(&["up"]).ends_with(0).await;

    let before = far.logins();
    let mut following = call(&["logs", "--follow", "--format", "json"]).start();
    let mut lines = following.lines();
    let mut heard = BTreeSet::new();
    let hear_all = async {
        while heard.len() < 16 {
            let line = lines.next_line().await.expect("text").expect("it goes on");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            heard.insert(text(&line["replica"]));
        }
    };
    let heard_all = tokio::time::timeout(DEADLINE, hear_all).await;
    heard_all.expect("all sixteen are heard");
    assert_eq!(far.logins(), before + 1, "{}", far.log());
    assert!(!far.log().contains("MaxStartups"), "{}", far.log());

    following.signal(Signal::KILL);
    following.end().await;
    eventually("the end of the killed one's connection", async || {
        far.sessions().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_link_that_is_lost_in_the_middle_leaves_what_the_next_command_finishes() {
    for (signal, told) in [(Signal::KILL, "was cut"), (Signal::STOP, "not responding")] {
        let (stack, far) = (Deployment::shipped(), Sshd::start().await);
        let call = |arguments: &[&str]| far.through(stack.call(arguments));
        call(&["build"]).ends_with(0).await;
        let running = call(&["up"]).start();
        let api = format!("{}-api-", stack.project);
        eventually("a replica that was created", async || {
            let containers = stack.engine.containers(&stack.project).await;
            containers
                .keys()
                .any(|name| name.starts_with(&api))
                .then_some(())
        })
        .await;
        far.signal(signal);
        let began = Instant::now();
        let free = async {
            eventually("a lock that is free", async || {
                let lock = stack.call(&["lock", "status"]).json().await;
                (lock["held"] == false).then_some(())
            })
            .await;
            began.elapsed()
        };
        let (answer, free) = tokio::join!(running.end(), free);
        assert_eq!(answer.code, Some(3), "{answer}");
        answer.says(&[
            "the link to ssh://far was cut",
            told,
            "run the same command again",
        ]);
        assert!(
            free < Duration::from_mins(1),
            "the lock was free after {free:?}"
        );
        far.signal(Signal::KILL);

        let next = call(&["up"]).ends_with(0).await;
        next.says(&["note: "]);
        let status = call(&["status"]).json().await;
        assert!(
            replicas(&status, "api")
                .iter()
                .all(|replica| replica["ready"] == true),
            "{status:#}"
        );
        assert_eq!(stack.engine.containers(&stack.project).await.len(), 7);
    }
}

#[tokio::test]
#[ignore = "needs an ssh server"]
async fn whoever_is_not_let_in_is_told_why_and_what_to_do() {
    let far = Sshd::start().await;
    let call = || far.through(asking(&[]));
    let known_hosts = fs::read_to_string(far.at("known_hosts")).expect("a file");

    fs::write(far.at("known_hosts"), "").expect("a file");
    call().ends_with(3).await.says(&[
        "no Docker Engine answers at ssh://far: its host key is not known here",
        "hint: `ssh far` once by hand",
    ]);

    let place = known_hosts.split(' ').next().expect("a name");
    let other = fs::read_to_string(far.at("other_key.pub")).expect("a key");
    fs::write(far.at("known_hosts"), format!("{place} {other}")).expect("a file");
    call()
        .ends_with(3)
        .await
        .says(&["somebody is in between", "ssh-keygen -R far"]);

    fs::write(far.at("known_hosts"), &known_hosts).expect("a file");
    fs::write(far.at("authorized_keys"), other).expect("a file");
    call().ends_with(3).await.says(&[
        "it refuses the login",
        "Permission denied (publickey)",
        "ssh-add",
    ]);

    let nobody = far.known_to(asking(&["--host", "ssh://127.0.0.1:1"]));
    nobody
        .ends_with(3)
        .await
        .says(&["Connection refused", "is the machine up"]);
    assert_eq!(far.logins(), 0);
}

#[tokio::test]
#[ignore = "needs an ssh server"]
async fn a_machine_without_an_engine_and_one_that_forwards_nothing_are_told_apart() {
    let far = Sshd::start().await;
    let nothing = far.known_to(asking(&["--host", "ssh://far/run/no-engine.sock"]));
    nothing.ends_with(3).await.says(&[
        "no engine listens at /run/no-engine.sock there",
        "start or install it on far",
    ]);
    let strict = Sshd::start_with("AllowStreamLocalForwarding no\n").await;
    let refused = strict.through(asking(&[]));
    refused
        .ends_with(3)
        .await
        .says(&["forbids to forward", "AllowStreamLocalForwarding yes"]);
    let wrong = asking(&["--host", "ssh://-oProxyCommand=false"]);
    wrong
        .ends_with(2)
        .await
        .says(&["it names no host", "ssh://user@host"]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_docker_context_names_the_engine_and_doctor_tells_who_chose_it() {
    let far = Sshd::start().await;
    let docker = tempfile::TempDir::new().expect("a temporary directory");
    let id = Sha256::digest("faraway")
        .iter()
        .fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
    let meta = docker.path().join("contexts/meta").join(id);
    fs::create_dir_all(&meta).expect("a directory");
    let text = r#"{"Name":"faraway","Metadata":{},"Endpoints":{"docker":{"Host":"ssh://far","SkipTLSVerify":false}}}"#;
    fs::write(meta.join("meta.json"), text).expect("a file");
    let stack = Deployment::shipped();
    let call = |arguments: &[&str]| {
        let directory = docker.path().display().to_string();
        far.known_to(stack.call(arguments))
            .without_env("DOCKER_HOST")
            .env("DOCKER_CONFIG", &directory)
    };
    let engine = async |call: Call| {
        let findings = call.with(&["--format", "json"]).run().await.json();
        let engine = findings
            .as_array()
            .and_then(|all| all.iter().find(|one| one["what"] == "engine").cloned());
        super::harness::text(&engine.expect("a finding")["observed"])
    };
    let by_option = engine(call(&["doctor", "--context", "faraway"])).await;
    assert!(
        by_option.ends_with("at ssh://far, chosen by context faraway of --context"),
        "{by_option}"
    );
    let by_variable = engine(call(&["doctor"]).env("DOCKER_CONTEXT", "faraway")).await;
    assert!(
        by_variable.ends_with("context faraway of DOCKER_CONTEXT"),
        "{by_variable}"
    );
    let here = call(&["doctor"])
        .env("DOCKER_CONTEXT", "faraway")
        .env("DOCKER_HOST", "unix:///var/run/docker.sock");
    let here = engine(here).await;
    assert!(here.ends_with("chosen by DOCKER_HOST"), "{here}");
    fs::write(
        docker.path().join("config.json"),
        r#"{"currentContext":"faraway"}"#,
    )
    .expect("a file");
    let by_file = engine(call(&["doctor"])).await;
    assert!(
        by_file.contains("context faraway of ") && by_file.ends_with("config.json"),
        "{by_file}"
    );

    let unknown = call(&["status", "--context", "fraaway"]).ends_with(2).await;
    unknown.says(&[
        "there is no Docker context fraaway",
        "hint: contexts are default, faraway",
    ]);
    let both = call(&["status", "--context", "faraway", "--host", "ssh://far"])
        .ends_with(2)
        .await;
    both.says(&["cannot be used with"]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_caller_s_user_is_nobody_on_another_machine() {
    let file = StackFile::shipped().with("services.api.build.uid", "host");
    let (stack, far) = (Deployment::of(file), Sshd::start().await);
    for command in ["up", "plan", "build"] {
        let answer = far.through(stack.call(&[command])).ends_with(2).await;
        answer.says(&[
            "services.api.build: uid = \"host\" means your number on this machine",
            "ssh://far",
        ]);
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_plan_tells_what_changed_and_which_releases_lost_their_images() {
    let choir = choir();
    let file = choir.path().join("sysndd.toml");
    let stack = Deployment::shipped();
    let stack_text = fs::read_to_string(&file).expect("a file");
    // An image of its own, so that removing it harms nobody.
    fs::write(
        choir.path().join("Dockerfile"),
        "ARG DEBIAN_IMAGE\nFROM $DEBIAN_IMAGE\nARG WORD\nRUN echo \"$WORD\" > /word\n",
    )
    .expect("a file");
    let word = format!("{:x}", rand::random::<u64>());
    let built = |word: &str, extra: &str| {
        let text = stack_text
            .replace("base = \"debian\"", "build = { context = \".\", bases = [\"debian\"], args = { WORD = \"WORD-HERE\" } }")
            .replace("WORD-HERE", word)
            .replace("replicas = 16", "replicas = 1");
        fs::write(&file, format!("{text}{extra}")).expect("a file");
    };
    let environment = |level: &str| {
        format!(
            "[services.voice.environment]\nLEVEL = \"{level}\"\nAPI_TOKEN = \"${{VOICE_TOKEN}}\"\n"
        )
    };
    let call = |arguments: &[&str]| {
        stack
            .call_by(&file, arguments)
            .env("VOICE_TOKEN", "first-token")
    };

    built(&word, &environment("low"));
    let first = call(&["up"]).json().await;
    assert_eq!(
        call(&["plan"]).json().await["changes"],
        serde_json::json!([])
    );

    let secret = call(&["plan"])
        .env("VOICE_TOKEN", "second-token")
        .ends_with(0)
        .await;
    let line = "~ services.voice: the value of a secret is another one";
    assert!(secret.stdout.contains(line), "{secret}");
    assert!(!secret.stdout.contains("-token"), "{secret}");

    let other = format!("{word}-2");
    built(&other, &environment("high"));
    let plan = call(&["plan"]).ends_with(0).await;
    for line in [
        "- services.voice.environment.LEVEL = low",
        "+ services.voice.environment.LEVEL = high",
        "+ services.voice.image-id = to be made",
        &format!("+ services.voice.build.args.WORD = {other}"),
    ] {
        assert!(
            plan.stdout.lines().any(|found| found == line),
            "no `{line}`: {plan}"
        );
    }
    assert!(
        !plan.stdout.contains('\u{1b}'),
        "colours belong on a terminal: {plan}"
    );
    assert!(
        !plan.stdout.contains("healthcheck"),
        "nobody wrote of one: {plan}"
    );
    call(&["up"]).ends_with(0).await;

    let image = text(&replicas(&first, "voice")[0]["image"]);
    stack.engine.remove_image(&image).await;
    let gone = format!(
        "{} cannot be gone back to, its images of voice are not here any more",
        text(&first["release"])
    );
    let plan = call(&["plan"]).ends_with(0).await;
    assert!(plan.stdout.contains(&gone), "{plan}");
    let doctor = call(&["doctor"]).run().await;
    assert!(doctor.stdout.contains(&gone), "{doctor}");
    let releases = call(&["releases"]).json().await;
    assert_eq!(
        releases["releases"][1]["missing_images"],
        serde_json::json!(["voice"]),
        "{releases:#}"
    );
    assert_eq!(
        releases["releases"][0]["missing_images"],
        serde_json::json!([])
    );
    call(&["rollback", &text(&first["release"])])
        .ends_with(6)
        .await
        .says(&["image of voice", "is gone"]);
    let images: Vec<String> = [first, call(&["status"]).json().await]
        .iter()
        .map(|status| text(&replicas(status, "voice")[0]["image"]))
        .collect();
    call(&["down", "--volumes"]).ends_with(0).await;
    stack.engine.remove_image(&images[1]).await;
}
