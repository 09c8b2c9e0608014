//! Releases that bring migrations along: one that fails, and one that the release before cannot
//! work with.

use std::os::unix::fs::PermissionsExt as _;

use super::harness::{Deployment, Load, StackFile, each, root, text};

/// The shipped stack with more migrations than those in its image.
fn with_migrations(more: &[(&str, &str)]) -> StackFile {
    let file = StackFile::shipped();
    let dir = file.directory().join("migrations");
    std::fs::create_dir(&dir).expect("a directory");
    for entry in std::fs::read_dir(root().join("migrations")).expect("the shipped ones") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, dir.join(path.file_name().expect("a name"))).expect("a copy");
    }
    for (name, script) in more {
        std::fs::write(dir.join(name), script).expect("a file");
    }
    // The API's user reads them.
    for path in [file.directory(), dir.as_path()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let dir = dir.display().to_string();
    let volumes = vec![
        "data:/app/data".to_owned(),
        format!("{dir}:/app/migrations:ro"),
    ];
    file.with("migrations.dir", dir)
        .with("services.api.volumes", volumes)
        .with("services.api.replicas", 2)
        .with("deploy.soak", "200ms")
}

const BREAKING: (&str, &str) = (
    "900_away.sql",
    "-- compat: breaking\nCREATE TABLE away (id INT PRIMARY KEY);\n",
);
const FAILING: (&str, &str) = (
    "901_wrong.sql",
    "INSERT INTO there_is_no_such_table VALUES (1);\n",
);

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_failing_migration_is_undone_and_a_breaking_one_bars_the_way_back() {
    let file = with_migrations(&[]);
    let stack = Deployment::of(file);
    let first = stack.call(&["up"]).json().await;
    let breaking = with_migrations(&[BREAKING]);
    let second = stack.call_by(&breaking.path(), &["up"]).json().await;
    assert_ne!(second["release"], first["release"]);

    let load = Load::on(&text(&second["url"]), &["/api/health/ready", "/"]);
    load.more(20).await;
    let failing = with_migrations(&[BREAKING, FAILING]);
    let answer = stack.call_by(&failing.path(), &["up"]).ends_with(4).await;
    answer.says(&[
        "901_wrong.sql",
        "there_is_no_such_table",
        "undone: everything is as it was before",
    ]);
    load.more(20).await;
    load.was_answered().await;
    let status = stack.call_by(&breaking.path(), &["status"]).json().await;
    assert_eq!(each(&status, "api", "name"), each(&second, "api", "name"));

    // The first release does not know what the second did to the schema.
    let back = ["rollback", &text(&first["release"])];
    let barred = stack.call_by(&breaking.path(), &back).ends_with(6).await;
    barred.says(&["900_away.sql", "--allow-schema-ahead"]);
    let status = stack.call_by(&breaking.path(), &["status"]).json().await;
    assert_eq!(each(&status, "api", "name"), each(&second, "api", "name"));
}
