//! What goes with old releases, and what stays.

use super::harness::{Deployment, StackFile, text};

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
async fn an_image_of_a_dropped_release_stays_while_another_project_can_go_back_to_it() {
    let prefix = format!("t-{:08x}", rand::random::<u32>());
    let (one, other) = (
        Deployment::of(small(&prefix)),
        Deployment::of(small(&prefix)),
    );
    let up = async |stack: &Deployment, content: &str, keep: &str| {
        let call = stack.call(&["up"]).env("CONTENT", content);
        call.env("KEEP", keep).json().await
    };
    let first = up(&one, "1", "5").await;
    up(&other, "1", "5").await;
    up(&one, "2", "5").await;
    // Images of the newest runs stay anyway.
    for _ in 0..21 {
        other
            .call(&["restart"])
            .env("CONTENT", "1")
            .ends_with(0)
            .await;
    }
    // The other forgets its first release, and nothing runs on that image any more.
    let second = up(&other, "2", "1").await;
    let known = other.call(&["releases"]).json().await;
    let known = known["releases"].as_array().expect("releases");
    assert_eq!(known.len(), 1, "{known:#?}");
    assert_eq!(known[0]["id"], second["release"]);
    let back = ["rollback", &text(&first["release"])];
    one.call(&back).env("CONTENT", "2").ends_with(0).await;

    let engine = one.engine.clone();
    drop((one, other));
    engine.remove_images(&prefix).await;
}
