//! What goes with old releases, and what stays.

use serde_json::{Value, json};

use super::harness::{Deployment, StackFile, each, root, text};

/// A stack of its own. What is in the image is a build argument.
fn small(prefix: &str) -> StackFile {
    StackFile::alone(
        prefix,
        "ARG DEBIAN_IMAGE\nFROM $DEBIAN_IMAGE\nARG CONTENT\nRUN echo $CONTENT > /content\n",
        "[deploy]\nkeep_releases = \"${KEEP:-5}\"\nsoak = \"0s\"\n",
    )
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_image_of_a_dropped_release_goes_when_no_project_can_go_back_to_it() {
    let prefix = format!("t-{:08x}", rand::random::<u32>());
    let (one, other) = (
        Deployment::of(small(&prefix)),
        Deployment::of(small(&prefix)),
    );
    let engine = one.engine.clone();
    let call = |stack: &Deployment, content: &str, keep: &str, words: &[&str]| {
        let call = stack.call(words).env("CONTENT", content);
        call.env("KEEP", keep)
    };
    let up = async |stack: &Deployment, content: &str, keep: &str| {
        call(stack, content, keep, &["up"]).json().await
    };
    let image = |up: &Value| each(up, "app", "image")[0].clone();
    let known = async |stack: &Deployment| {
        let known = stack.call(&["releases"]).json().await;
        known["releases"].as_array().expect("releases").clone()
    };
    let first = up(&one, "1", "5").await;
    up(&other, "1", "5").await;
    // What is checked out now is not what a rollback brings back.
    let repository = root().join(".git").display().to_string();
    call(&one, "2", "5", &["up"])
        .env("GIT_DIR", &repository)
        .ends_with(0)
        .await;
    // The other forgets its first release, and nothing runs on that image any more.
    let second = up(&other, "2", "1").await;
    let left = known(&other).await;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0]["id"], second["release"]);
    assert!(
        engine.has_image(&image(&first)).await,
        "one goes back to it"
    );
    let back = ["rollback", &text(&first["release"])];
    call(&one, "2", "5", &back)
        .env("GIT_DIR", &repository)
        .ends_with(0)
        .await;
    let releases = known(&one).await;
    assert_eq!(releases.len(), 3, "{releases:#?}");
    assert_eq!(releases[0]["revision"], releases[2]["revision"]);
    let diff = ["releases", "diff", &text(&releases[1]["id"])];
    let diff = one.call(&diff).json().await;
    assert_eq!(
        diff["b"], releases[0]["id"],
        "the newest, when none is named"
    );
    let changes = diff["changes"].as_array().expect("changes");
    let content = changes
        .iter()
        .find(|change| change["key"] == "services.app.build.args.CONTENT");
    let content = content.unwrap_or_else(|| panic!("{diff:#}"));
    assert_eq!(
        (&content["before"], &content["after"]),
        (&json!("2"), &json!("1"))
    );

    // Now nobody goes back to the first; the other runs on the second.
    let third = up(&one, "3", "1").await;
    assert_eq!(known(&one).await.len(), 1);
    assert!(!engine.has_image(&image(&first)).await, "it is still there");
    assert!(engine.has_image(&image(&second)).await);

    // What was only built goes when it is told to, but for the newest.
    let built = async |content: &str| {
        let built = call(&one, content, "1", &["build"]).json().await;
        text(&built["images"][0]["image"])
    };
    let (fourth, fifth) = (built("4").await, built("5").await);
    let told = call(&one, "3", "1", &["prune", "--dry-run"]).json().await;
    assert!(engine.has_image(&fourth).await, "nothing goes on a dry run");
    let pruned = call(&one, "3", "1", &["prune"]).json().await;
    assert_eq!(pruned["images"], told["images"]);
    assert_eq!(pruned["images"][0]["id"], fourth.as_str(), "{pruned:#}");
    assert!(!engine.has_image(&fourth).await);
    for kept in [image(&second), image(&third), fifth] {
        assert!(engine.has_image(&kept).await, "{kept} is needed");
    }
    drop((one, other));
    engine.remove_images(&prefix).await;
}
