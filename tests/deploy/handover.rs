//! The web server changes behind the listener, and the listener dies: what clients see of it.

use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::harness::{Deployment, Load, StackFile, each, eventually, get, root, text};

/// One of the page, and one of a replica that has nothing to do with the change: what its database or disk is
/// slow at is another test's business.
const PATHS: &[&str] = &["/", "/api/health"];

/// On a port of its own: one that the engine picks changes when the listener is restarted.
struct Place(String);

impl Place {
    fn free() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Self(free.local_addr().expect("an address").to_string())
    }

    fn file(&self) -> StackFile {
        StackFile::shipped()
            .with("services.listener.ports", vec![format!("{}:8000", self.0)])
            .with("services.api.replicas", 1)
            .with("deploy.soak", "200ms")
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_web_server_is_replaced_without_a_failed_request() {
    let place = Place::free();
    let stack = Deployment::of(place.file());
    let mut before = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&before["url"]), PATHS);
    load.more(50).await;
    for turn in 0..4 {
        let file = place
            .file()
            .with("services.web.environment.TURN", turn.to_string());
        let after = stack.call_by(&file.path(), &["up"]).json().await;
        assert_ne!(each(&after, "web", "name"), each(&before, "web", "name"));
        for kept in ["api", "db", "listener"] {
            assert_eq!(each(&after, kept, "name"), each(&before, kept, "name"));
        }
        load.more(50).await;
        before = after;
    }
    // One whose list says less than the servers before it need, for it says the rest itself; and back.
    let file = place.file();
    let template = std::fs::read_to_string(root().join("templates/upstream.conf.tera"));
    let template = template.expect("the template");
    let (before_map, map) = template
        .split_once("map \"\" $edge_maintenance")
        .expect("a map");
    let (_, after_map) = map.split_once(";\n}\n").expect("its end");
    let other = file.directory().join("other.tera");
    std::fs::write(&other, format!("{before_map}{after_map}")).expect("a template");
    let says = "echo 'map \"\" $$edge_maintenance { default \"\"; }' >> /tmp/edge-settings.conf; exec \"$$@\"";
    let command = [
        "edge-settings",
        "sh",
        "-c",
        says,
        "sh",
        "keep-assets",
        "listener",
        "serve",
        "--",
        "nginx",
    ];
    let file = file
        .with("edge.template", other.display().to_string())
        .with("services.web.command", command.map(str::to_owned).to_vec())
        .with("services.api.environment.SYSNDD_MIGRATE_WAIT", "601s");
    let after = stack
        .call_by(&file.path(), &["up", "--no-backup"])
        .json()
        .await;
    assert_ne!(each(&after, "api", "name"), each(&before, "api", "name"));
    load.more(50).await;
    let release = text(&before["release"]);
    let back = ["rollback", &release, "--no-backup"];
    let after = stack.call_by(&file.path(), &back).json().await;
    assert_eq!(after["changed"], true);
    load.more(50).await;

    let answered = load.was_answered().await;
    assert!(answered > 500, "only {answered} requests were sent");
    stack.call(&["verify"]).report().await.passes();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_page_is_back_by_itself_whatever_dies_and_in_whatever_order_it_starts() {
    let place = Place::free();
    let stack = Deployment::of(place.file());
    let up = stack.call(&["up"]).json().await;
    let url = text(&up["url"]);
    let [web, listener] = ["web", "listener"].map(|service| each(&up, service, "name").remove(0));
    let engine = &stack.engine;

    let killed = Instant::now();
    let state = engine.inspect(&listener).await.state.expect("its state");
    let process = state
        .pid
        .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    kill_process(process.expect("it runs"), Signal::KILL).expect("it is killed");
    eventually("the engine started it again", async || {
        let now = engine.inspect(&listener).await.state?;
        (now.running? && now.started_at != state.started_at).then_some(())
    })
    .await;
    is_back(&url, "the listener was killed", killed).await;

    for (what, order) in [
        ("the web server started first", [&web, &listener]),
        ("the listener started first", [&listener, &web]),
    ] {
        for container in order.into_iter().rev() {
            engine.stop(container).await;
        }
        assert!(get(&url).await.is_err(), "{what}: it was not away");
        let began = Instant::now();
        for container in order {
            engine.start(container).await;
        }
        is_back(&url, what, began).await;
    }

    // Between the two the server looks for a listener that is not there.
    engine.stop(&web).await;
    engine.stop(&listener).await;
    engine.start(&web).await;
    eventually("the server waits", async || {
        let logs = stack
            .call(&["logs", "web", "--tail", "3"])
            .run()
            .await
            .stdout;
        logs.contains("waits for the listener").then_some(())
    })
    .await;
    let began = Instant::now();
    engine.start(&listener).await;
    is_back(&url, "the listener came late", began).await;

    stack.call(&["verify"]).report().await.passes();
    assert_eq!(stack.call(&["up"]).json().await["changed"], false);
}

/// With nobody's help but the engine's.
async fn is_back(url: &str, what: &str, began: Instant) {
    let answers = async || get(url).await.is_ok_and(|answer| answer.status() == 200);
    super::harness::is_back(what, began, answers).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn assets_of_the_last_releases_are_served_and_older_ones_go() {
    let stack = Deployment::of(StackFile::shipped().with("services.api.replicas", 1));
    let up = stack.call(&["up"]).json().await;
    let (base, web) = (text(&up["url"]), each(&up, "web", "name").remove(0));
    let ask = async |path: &str| get(&format!("{base}{path}")).await.expect("an answer");

    // As the server of another release leaves it.
    let leave = "cd /srv/kept && echo \"$1-x.js\" > releases/$1 && echo \"of $1\" > assets/$1-x.js";
    for release in ["first", "second", "third", "fourth", "fifth"] {
        let (code, told) = stack
            .engine
            .exec(&web, &["sh", "-c", leave, "sh", release])
            .await;
        assert_eq!(code, 0, "{told}");
    }
    let answer = ask("/assets/first-x.js").await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(
        header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(answer.text().await.expect("text"), "of first\n");
    assert_eq!(ask("/assets/none-x.js").await.status(), 404);

    // With the server's own they are six; it was started last.
    stack.engine.stop(&web).await;
    stack.engine.start(&web).await;
    eventually("the page is back", async || {
        let answer = get(&base).await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    assert_eq!(ask("/assets/first-x.js").await.status(), 404);
    assert_eq!(ask("/assets/second-x.js").await.status(), 200);
    assert_eq!(ask("/assets/fifth-x.js").await.status(), 200);
}
