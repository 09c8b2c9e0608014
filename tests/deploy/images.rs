//! What the images are made of.

use super::harness::{Deployment, StackFile, each, root, text};

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

#[test]
fn every_variable_of_the_shipped_stack_stands_in_the_example() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).expect(file);
    let (stack, example) = (read("sysndd.toml"), read(".env.example"));
    let mut names = 0;
    for rest in stack.split("${").skip(1) {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .expect("an end");
        let name = &rest[..end];
        if name == "deploy" {
            continue;
        }
        names += 1;
        let stands = |line: &str| {
            line.trim_start_matches("# ")
                .starts_with(&format!("{name}="))
        };
        assert!(example.lines().any(stands), "{name} is not in .env.example");
    }
    assert!(names > 2, "the shipped stack has variables");
}
