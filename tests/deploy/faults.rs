//! Faults that are put into a running stack: `verify` must fail, and name the right check.
//!
//! Faults that can be mended share a stack; after each the stack must pass again, so that no
//! assertion lives on an earlier fault.

use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use mysql_async::prelude::Queryable as _;
use serde_json::Value;

use super::harness::{Call, Deployment, Image, StackFile, each, eventually, get, replicas, text};

/// A stack that passes, and the names of its API replicas.
async fn proven() -> (Deployment, Value, Vec<String>) {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    verify(&stack).report().await.passes();
    let names = each(&up, "api", "name");
    (stack, up, names)
}

fn verify(stack: &Deployment) -> Call {
    stack.call(&["verify"])
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_stopped_replica_and_starts_one_after_another_are_found() {
    let (stack, _, names) = proven().await;

    stack.engine.stop(&names[2]).await;
    let report = verify(&stack).report().await;
    report
        .fails(&["replicas.count", "replicas.ready"])
        .naming("replicas.count", &names[2]);

    // `up` starts it again; it is the old container. Its start is not one of the four at once.
    let before = stack.engine.lives(&stack.project).await;
    stack.call(&["up"]).ends_with(0).await;
    let after = stack.engine.lives(&stack.project).await;
    for (name, life) in &before {
        assert_eq!(after[name].0, life.0, "{name} was replaced");
        assert_eq!(
            after[name].1 == life.1,
            *name != names[2],
            "{name} was restarted"
        );
    }
    verify(&stack).report().await.passes();

    for name in &names {
        stack.engine.stop(name).await;
    }
    // As a deployer does that waits for each before it starts the next. On a complete schema a
    // replica is ready within milliseconds, so it is the time between the starts that tells.
    for name in &names {
        stack.engine.start(name).await;
        let started = Instant::now();
        eventually("a replica that has been ready for a while", async || {
            let status = stack.call(&["status"]).json().await;
            let ready = replicas(&status, "api")
                .iter()
                .any(|replica| replica["name"] == name.as_str() && replica["ready"] == true);
            (ready && started.elapsed() > Duration::from_millis(700)).then_some(())
        })
        .await;
    }
    let report = verify(&stack).report().await;
    report.fails_only(&["startup.parallel"]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_replica_of_another_user_and_one_of_another_image_are_found() {
    let (stack, _, names) = proven().await;
    let last = &names[3];

    stack
        .engine
        .recreate(last, |body| body.user = Some("1234".to_owned()))
        .await;
    let report = verify(&stack).report().await;
    report
        .fails(&["data.writable", "data.shared", "data.owner"])
        .naming("data.writable", last);

    let own = |body: &mut ContainerCreateBody| body.user = Some("1000:1000".to_owned());
    stack.engine.recreate(last, own).await;
    stack.call(&["up"]).ends_with(0).await;
    verify(&stack).report().await.passes();

    let other = stack.engine.commit(&names[0], "LABEL another=image").await;
    stack
        .engine
        .recreate(last, |body| body.image = Some(other.id.clone()))
        .await;
    eventually("the replica of another image is ready", async || {
        let status = stack.call(&["status"]).json().await;
        let ready = |replica: &Value| replica["ready"] == true;
        replicas(&status, "api").iter().all(ready).then_some(())
    })
    .await;
    let report = verify(&stack).report().await;
    report
        // An image made of a container has its environment.
        .fails_only(&["replicas.same-image", "security.no-secrets-in-image"])
        .naming("replicas.same-image", last)
        .naming("security.no-secrets-in-image", last);
    stack.call(&["up"]).ends_with(0).await;
    verify(&stack).report().await.passes();

    stack.call(&["down", "--volumes"]).ends_with(0).await;
    other.remove().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_ledger_that_disagrees_and_a_second_applier_are_found() {
    let (stack, up, names) = proven().await;
    let address = text(&replicas(&up, "db")[0]["address"]);
    let url = format!(
        "mysql://sysndd:for-tests-only@{address}:3306/sysndd?require_ssl=true&verify_ca=false&verify_identity=false"
    );
    let mut database = mysql_async::Conn::from_url(url)
        .await
        .expect("the database answers");
    let applier: Option<String> = database
        .query_first("SELECT DISTINCT applied_by FROM schema_version")
        .await
        .expect("a ledger");
    let applier = applier.expect("an applier");
    let other = names
        .iter()
        .find(|name| **name != applier)
        .expect("another replica");

    let write = "UPDATE schema_version SET applied_by = ?";
    database
        .exec_drop(write, (other,))
        .await
        .expect("an update");
    let report = verify(&stack).report().await;
    report
        .fails_only(&["migration.single-applier"])
        .naming("migration.single-applier", other);

    // The same when replicas are asked from inside, and the ledger through one of them.
    let report = verify(&stack)
        .env("SYSNDD_DEPLOY_PROBE", "inside")
        .report()
        .await;
    report.fails_only(&["migration.single-applier"]);

    database
        .exec_drop(write, (&applier,))
        .await
        .expect("an update");
    database.disconnect().await.expect("the connection ends");
    verify(&stack).report().await.passes();

    // Another replica says that it applied a file as well.
    let logs = stack
        .call(&["logs", "api", "--format", "json"])
        .ends_with(0)
        .await
        .stdout;
    let line = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| text(&line["line"]))
        .find(|line| line.contains("\"migration.applied\""))
        .expect("the applier's own word");
    let line = line.replace(&applier, other);
    let (code, told) = stack
        .engine
        .exec(
            other,
            &["sh", "-c", "echo \"$1\" > /proc/1/fd/1", "say", &line],
        )
        .await;
    assert_eq!(code, 0, "{told}");
    let report = verify(&stack).report().await;
    report
        .fails_only(&["migration.applied-once", "migration.single-applier"])
        .naming("migration.single-applier", other);
}

/// What the web server's image had to be changed by, so that only this check fails, and what it names.
const FAULTS_OF_THE_EDGE: [(&str, &str, &str); 25] = [
    (
        "web.index",
        "sed -i 's|text/html|text/plain|' /etc/nginx/mime.types",
        "200 text/plain",
    ),
    (
        "web.index",
        "sed -i 's|try_files /index.html =404;|try_files $uri $uri/ =404;|' $conf",
        "GET /entities: 404",
    ),
    (
        "web.favicon",
        "rm /srv/web/brain-neurodevelopmental-disorders-sysndd.png*",
        "404",
    ),
    (
        "web.fallback",
        "sed -i 's|try_files $uri =404;|try_files $uri /index.html;|' $conf",
        "200 text/html",
    ),
    (
        "web.fallback",
        "sed -i '0,/proxy_pass http:..api_replicas;/s||error_page 404 =200 /index.html; proxy_intercept_errors on; &|' $conf",
        "/api/",
    ),
    (
        "web.gzip",
        "sed -i 's/gzip on;/gzip off;/; s/gzip_static on;/gzip_static off;/' $conf",
        "come as they are",
    ),
    (
        "web.gzip",
        "sed -i 's/gzip_vary on;/gzip_vary off;/' $conf",
        "Vary",
    ),
    (
        "web.brotli",
        "echo '# nothing' > /etc/nginx/features/brotli.conf",
        "come as they are",
    ),
    (
        "web.brotli",
        "for packed in /srv/web/assets/*.br; do cp \"${packed%.br}\" \"$packed\"; done",
        "which is no less",
    ),
    (
        "web.cache-headers",
        "sed -i '/max-age=31536000/d' $conf",
        "says nothing",
    ),
    (
        "web.cache-headers",
        "sed -i '/location . {/,/}/s/no-store/max-age=600/' $conf",
        "max-age=600",
    ),
    (
        "web.security-headers",
        "sed -i 's/add_header_inherit merge;//' $conf",
        "no content-security-policy",
    ),
    (
        "web.security-headers",
        "sed -i \"s/script-src 'self'/& 'unsafe-inline'/\" /etc/nginx/security.conf",
        "unsafe-inline",
    ),
    (
        "web.security-headers",
        "sed -i \"s/frame-ancestors 'none'/frame-ancestors */\" /etc/nginx/security.conf",
        "frame-ancestors *",
    ),
    (
        "web.security-headers",
        "sed -i '/max-age=3600/s/^/add_header_inherit off;/' $conf",
        ".png: no cross-origin-opener-policy",
    ),
    (
        "web.security-headers",
        "sed -i 's/server_tokens off;//' $conf",
        "server tells nginx/",
    ),
    (
        "web.keep-alive",
        "sed -i 's/proxy_set_header Connection \"\";/proxy_set_header Connection close;/' /etc/nginx/proxy.conf",
        "none is there after",
    ),
    (
        "web.retries",
        "sed -i 's/error timeout http_503;/error timeout http_503 non_idempotent;/' /etc/nginx/proxy.conf",
        "location ^~ /api/: also what is not idempotent",
    ),
    (
        "web.retries",
        "sed -i 's/proxy_next_upstream error timeout;/proxy_next_upstream off;/' $conf",
        "location @each_replica: nothing is sent again",
    ),
    (
        "web.client-address",
        "sed -i 's/X-Forwarded-For $remote_addr;/X-Forwarded-For $proxy_add_x_forwarded_for;/' /etc/nginx/proxy.conf",
        "takes 203.0.113.",
    ),
    (
        "web.client-address",
        "sed -i '/X-Forwarded-For/d' /etc/nginx/proxy.conf",
        "takes 203.0.113.",
    ),
    (
        "web.request-id",
        "sed -i '/X-Request-ID $edge_request_id/d' /etc/nginx/proxy.conf",
        "no replica's log has",
    ),
    (
        "web.request-id",
        "sed -i 's/\"~^.A-Za-z0-9_-.{8,64}$\"/\"~.\"/' $conf",
        "is taken for an id",
    ),
    // Replicas refuse what is too long as well, and nobody here is quick enough for the wide limit.
    (
        "security.body-limit",
        "sed -i 's/client_max_body_size 2m;/client_max_body_size 0;/' $conf",
        "client_max_body_size 0",
    ),
    (
        "security.rate-limit",
        "sed -i '0,/limit_req zone=api burst=200 nodelay;/s///' $conf",
        "no limit_req for /api/entities",
    ),
];

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn each_fault_of_the_web_server_is_found() {
    let (stack, up, _) = proven().await;
    let web = each(&up, "web", "name").remove(0);
    let sound = text(&replicas(&up, "web")[0]["image"]);
    let report = verify(&stack).with(&["--suite", "web"]).report().await;
    // Each image goes when nothing is made of it any more.
    let mut worn: Option<Image> = None;
    for (at, (check, change, named)) in FAULTS_OF_THE_EDGE.into_iter().enumerate() {
        // An nginx without the module promises no brotli.
        if check == "web.brotli" && report.ids("skip").contains(&check) {
            continue;
        }
        let scratch = format!("{}-fault-{at}", stack.project);
        let script = format!("set -e; conf=/etc/nginx/nginx.conf; {change}");
        let body = ContainerCreateBody {
            image: Some(sound.clone()),
            user: Some("0".to_owned()),
            entrypoint: Some(vec!["sh".into(), "-c".into(), script]),
            cmd: Some(Vec::new()),
            ..Default::default()
        };
        stack.engine.create(&scratch, body).await;
        stack.engine.start(&scratch).await;
        stack.engine.wait(&scratch).await;
        let image = stack.engine.commit(&scratch, "LABEL fault=seeded").await;
        stack.engine.remove(&scratch).await;

        let change = |body: &mut ContainerCreateBody| {
            body.image = Some(image.id.clone());
            body.entrypoint = Some(
                ["edge-settings", "listener", "serve", "--"]
                    .map(String::from)
                    .into(),
            );
            body.cmd = Some(vec!["nginx".into()]);
        };
        stack.engine.recreate(&web, change).await;
        if let Some(worn) = worn.replace(image) {
            worn.remove().await;
        }
        eventually("the web server with a fault is ready", async || {
            let status = stack.call(&["status"]).json().await;
            let ready = |replica: &Value| replica["ready"] == true;
            replicas(&status, "web").iter().all(ready).then_some(())
        })
        .await;
        let asked = if check.starts_with("web.") {
            ["--suite", "web"]
        } else {
            ["--check", check]
        };
        let report = verify(&stack).with(&asked).report().await;
        report.fails_only(&[check]).naming(check, named);
    }
    stack.call(&["down", "--volumes"]).ends_with(0).await;
    worn.expect("a fault was seeded").remove().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_check_asked_for_by_name_that_cannot_be_made_fails() {
    let (stack, _, _) = proven().await;
    let page_only = toml::Table::from_iter([("index".to_owned(), "/".into())]);
    let no_favicon = StackFile::shipped().with("verify.web", page_only);
    let report = stack
        .call_by(&no_favicon.path(), &["verify"])
        .with(&["--check", "web.favicon,data.shared"])
        .report()
        .await;
    report.fails_only(&["web.favicon"]);
    assert_eq!(report.ids("pass"), ["data.shared"]);
    let report = verify(&stack)
        .with(&["--suite", "replicas,data"])
        .report()
        .await;
    let suites = ["data", "replicas"];
    assert!(
        report
            .ids("pass")
            .iter()
            .all(|id| suites.iter().any(|suite| id.starts_with(suite)))
    );
    assert!(report.ids("pass").len() >= 7);
    // A wrong number is a failure, not a way to pass.
    verify(&stack)
        .with(&["--replicas", "5"])
        .report()
        .await
        .fails(&["replicas.count"]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn limits_that_are_off_and_secrets_that_are_told_are_found() {
    let (stack, _, _) = proven().await;

    // All that a wrong setting can break, at once.
    let api = "services.api.environment";
    let certificate: Vec<String> = ["ca", "cert", "key"]
        .map(|file| format!("--ssl-{file}=/run/tls/{file}.pem"))
        .into();
    let wrong = StackFile::shipped()
        .with("services.web.environment.EDGE_AUTH_RATE", "100000r/s")
        // Whoever asks from there may say who he is, and `verify` asks from there.
        .with(
            "services.web.environment.EDGE_TRUSTED_PROXIES",
            "127.0.0.0/8",
        )
        .with(&format!("{api}.SYSNDD_DB_POOL_MAX"), "200")
        .with(&format!("{api}.SYSNDD_MAX_BODY_BYTES"), "131072")
        .with(
            &format!("{api}.SYSNDD_CORS_ORIGINS"),
            "https://stranger.invalid",
        )
        // An API that asks for no certificate, and a database that does not insist.
        .with("services.api.tls.environment.SYSNDD_DB_CA", "")
        .with("services.db.tls.arguments", certificate);
    // The job that makes backups has the new settings, with which the old database lets nobody in.
    let again = ["up", "--allow-recreate", "db", "--no-backup"];
    let up = stack.call_by(&wrong.path(), &again).json().await;
    let names = each(&up, "api", "name");
    let report = stack.call_by(&wrong.path(), &["verify"]).report().await;
    report
        .fails_only(&[
            "web.client-address",
            "database.pool-fits",
            "database.tls",
            "security.body-limit",
            "security.cors",
            "security.rate-limit",
        ])
        .naming(
            "database.pool-fits",
            "1600 connections of 4 replicas, 4 more while they are replaced",
        )
        .naming("database.tls", &names[0])
        .naming("security.body-limit", &names[0])
        .naming("security.cors", &names[0])
        .naming("security.rate-limit", "none of 60")
        .naming("web.client-address", "takes 203.0.113.");

    let up = stack.call(&again).json().await;
    let names = each(&up, "api", "name");
    verify(&stack).report().await.passes();

    // A replica that hangs is connected to, and says nothing.
    stack.engine.pause(&names[1]).await;
    let report = verify(&stack).report().await;
    report
        .fails(&["database.concurrency", "observability.metrics"])
        .naming("database.concurrency", &names[1])
        .naming("observability.metrics", &names[1]);
    stack.engine.unpause(&names[1]).await;
    verify(&stack).report().await.passes();
    a_silent_database_is_told_at_once(&stack, &up).await;

    // A line for people, and in it a password.
    let say = "echo connecting with for-tests-only > /proc/1/fd/1";
    let (code, told) = stack.engine.exec(&names[2], &["sh", "-c", say]).await;
    assert_eq!(code, 0, "{told}");
    let report = verify(&stack).report().await;
    report
        .fails_only(&["security.no-secrets-in-logs", "observability.json-logs"])
        .naming("observability.json-logs", &names[2])
        .naming("security.no-secrets-in-logs", &names[2])
        .naming("security.no-secrets-in-logs", "PASSWORD");
    assert!(
        !report.json.to_string().contains("for-tests-only"),
        "the report tells the secret"
    );

    // An image that a secret was built into, run by root.
    let label = "LABEL built-with=for-tests-only";
    let image = stack.engine.commit(&names[3], label).await;
    stack
        .engine
        .recreate(&names[3], |body| {
            body.image = Some(image.id.clone());
            body.user = Some("0".to_owned());
            // Without its capabilities root could not write where the others do.
            if let Some(host) = &mut body.host_config {
                host.cap_drop = None;
            }
        })
        .await;
    eventually("the replica of root is ready", async || {
        let status = stack.call(&["status"]).json().await;
        let ready = |replica: &Value| replica["ready"] == true;
        replicas(&status, "api").iter().all(ready).then_some(())
    })
    .await;
    let report = verify(&stack).report().await;
    report
        .fails(&["security.no-secrets-in-image", "security.non-root"])
        .naming("security.no-secrets-in-image", "a label")
        .naming("security.non-root", &names[3]);

    stack.call(&["down", "--volumes"]).ends_with(0).await;
    image.remove().await;
}

/// Through the edge: no replica can help another, so nobody is made to wait for all of them in turn.
async fn a_silent_database_is_told_at_once(stack: &Deployment, up: &Value) {
    let url = format!("{}/api/entities", text(&up["url"]));
    let database = each(up, "db", "name").remove(0);
    stack.engine.pause(&database).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = get(&url).await.expect("the edge answers");
        times.push(asked.elapsed());
        assert_eq!(answer.status(), 503);
    }
    stack.engine.unpause(&database).await;
    // The quickest counts: who asks all replicas does so every time, a busy machine does not.
    let quickest = times.iter().min().expect("somebody asked");
    assert!(*quickest < Duration::from_millis(2_500), "{times:?}");
    eventually("the list is back", async || {
        let answer = get(&url).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
}
