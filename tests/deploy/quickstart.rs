//! From a file and nothing else to a proven stack; and that it is safe to run it again.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::harness::{Call, Deployment, StackFile, text};

/// As on a fresh checkout: secrets are nowhere.
fn quickstart(stack: &Deployment) -> Call {
    stack
        .call(&["quickstart"])
        .without_env("DB_PASSWORD")
        .without_env("DB_RESTORE_PASSWORD")
        .without_env("DB_ROOT_PASSWORD")
        .without_env("SECRET_KEY")
        .without_env("ADMIN_PASSWORD")
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn quickstart_makes_secrets_once_and_never_replaces_lost_ones() {
    let stack = Deployment::of(StackFile::shipped());
    let secrets = stack.path().with_file_name(".env");

    let first = quickstart(&stack).json().await;
    assert_eq!(first["changed"], true);
    assert_eq!(first["verify"]["verdict"], "pass");
    let reached = text(&first["url"]);
    assert!(reached.starts_with("http://127.0.0.1:"));
    // The API gives a session to pages of the address that it knows itself by.
    let told = reached.replace("127.0.0.1", "localhost");
    assert_eq!(text(&first["public_url"]), told);
    let written = fs::read_to_string(&secrets).expect(".env");
    let mode = fs::metadata(&secrets).expect(".env").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let names: Vec<&str> = written
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "ADMIN_PASSWORD",
        "DB_PASSWORD",
        "DB_RESTORE_PASSWORD",
        "DB_ROOT_PASSWORD",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "SECRET_KEY",
    ];
    assert_eq!(names, expected);
    let values: Vec<&str> = written
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(_, value)| value)
        .collect();
    assert!(values[1] != values[2] && values[1..].iter().all(|value| value.len() >= 20));

    // The first administrator is there, and nothing that was printed says their password.
    assert!(text(&first["tell"]).contains("ADMIN_PASSWORD in .env"));
    assert!(!first.to_string().contains(values[0]));
    let log_in = async || {
        let login = serde_json::json!({ "user_name": "admin", "password": values[0] });
        let url = format!("{}/api/auth/login", text(&first["url"]));
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.expect("a client");
        let answer = client.post(url).json(&login).send().await;
        answer.expect("the edge answers").status()
    };
    assert_eq!(log_in().await, 200);

    let before = stack.engine.lives(&stack.project).await;
    let second = quickstart(&stack).json().await;
    assert_eq!(second["changed"], false);
    assert_eq!(stack.engine.lives(&stack.project).await, before);
    assert_eq!(fs::read_to_string(&secrets).expect(".env"), written);
    assert_eq!(log_in().await, 200);

    // What nothing was made with may be made later.
    let without: String = written
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("ADMIN_PASSWORD="))
        .collect();
    fs::write(&secrets, without).expect("writable");
    quickstart(&stack).json().await;
    let again = fs::read_to_string(&secrets).expect(".env");
    assert!(again.contains("ADMIN_PASSWORD="), "{}", again.len());
    assert_eq!(log_in().await, 200, "the administrator stays who they are");

    // Without them the volumes cannot be opened: new ones must not be made.
    fs::remove_file(&secrets).expect(".env goes");
    let answer = quickstart(&stack).ends_with(2).await;
    answer.says(&[
        "ADMIN_PASSWORD, DB_PASSWORD, DB_RESTORE_PASSWORD, DB_ROOT_PASSWORD, S3_ACCESS_KEY, S3_SECRET_KEY, SECRET_KEY",
        "volumes",
        "bring the .env of that time back",
    ]);
    assert!(!secrets.exists());
    assert_eq!(stack.engine.lives(&stack.project).await, before);
}
