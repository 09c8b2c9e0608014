//! What the images are made of.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};

use super::harness::{Deployment, StackFile, each, eventually, get, text};

/// Everything that has no business in an image that runs.
const DEVELOPMENT: &str = "command -v cargo rustc gcc cc node npm git; \
    ls -A /var/lib/apt/lists /var/cache/apt/archives /root/.cargo /root/.npm 2>/dev/null \
    | grep -vE '^(/|lock|partial|$)'";

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn final_images_are_small_and_hold_no_tools_of_their_making() {
    let stack = Deployment::of(StackFile::shipped().with("services.api.replicas", 1));
    let up = stack.call(&["up"]).json().await;
    for service in ["api", "listener", "web"] {
        let name = &each(&up, service, "name")[0];
        let (_, found) = stack.engine.exec(name, &["sh", "-c", DEVELOPMENT]).await;
        assert_eq!(found, "", "{service} holds what only its build needs");
    }

    let built = stack.call(&["build"]).json().await;
    let images = built["images"].as_array().expect("images");
    let api = images
        .iter()
        .find(|image| text(&image["service"]) == "api")
        .expect("the API's");
    let last = api["size_bytes"].as_u64().expect("a size");
    // What the build stage begins with; it only grows from there.
    let toolchain = stack.engine.size_of("dev.sysndd.base=rust").await;
    assert!(
        last * 2 < toolchain,
        "{last} bytes are not less than half of {toolchain}"
    );
}

/// As on a platform that runs images and nothing else: no list of replicas, no volumes, no listener.
#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_web_server_finds_the_api_by_name_where_nobody_writes_a_list() {
    let stack = Deployment::of(StackFile::shipped().with("services.api.replicas", 1));
    let up = stack.call(&["up"]).json().await;
    let (api, web) = (&each(&up, "api", "name")[0], &each(&up, "web", "name")[0]);
    let alone = |upstream: String| {
        move |body: &mut ContainerCreateBody| {
            body.env = Some(vec![format!("EDGE_UPSTREAM={upstream}")]);
            let port = PortBinding {
                host_ip: Some("127.0.0.1".into()),
                host_port: None,
            };
            body.host_config = Some(HostConfig {
                port_bindings: Some(HashMap::from([("8080/tcp".into(), Some(vec![port]))])),
                ..HostConfig::default()
            });
        }
    };
    stack
        .engine
        .recreate(web, alone(format!("{api}:8080")))
        .await;
    let ports = stack
        .engine
        .inspect(web)
        .await
        .network_settings
        .and_then(|it| it.ports);
    let port = ports.and_then(|ports| ports["8080/tcp"].clone()?.pop()?.host_port);
    let base = format!("http://127.0.0.1:{}", port.expect("a port"));
    let ok = async |path: &str| {
        let answer = get(&format!("{base}{path}")).await.ok()?;
        (answer.status() == 200).then_some(())
    };
    eventually("the report of the API", async || {
        ok("/api/health/ready").await
    })
    .await;
    eventually("the page", async || ok("/").await).await;

    // Its name is looked up again: a new container may have another address.
    stack.engine.stop(api).await;
    stack.engine.start(api).await;
    eventually("the API that is back", async || {
        ok("/api/health/ready").await
    })
    .await;

    for wrong in ["api", "api:", ":8080", "api:80;}"] {
        stack.engine.recreate(web, alone(wrong.into())).await;
        let said = eventually("its refusal", async || {
            let state = stack.engine.inspect(web).await.state?;
            (state.exit_code == Some(2)).then_some(())
        });
        said.await;
    }
}
