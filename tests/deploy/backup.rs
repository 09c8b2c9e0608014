//! Backups from the operator's side: made, checked, fetched, copied and brought back; and what `verify`
//! says of bad ones.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use super::harness::{Call, Deployment, Report, StackFile, each, eventually, replicas, text};

/// A setting of the API that changes nothing else.
const WAIT: &str = "services.api.environment.SYSNDD_MIGRATE_WAIT";
const DIR: &str = "/app/data/backups";

/// What an operator writes into .env to have an object storage beside the stack.
const STORAGE: [(&str, &str); 4] = [
    ("SYSNDD_PROFILES", "storage"),
    ("STORAGE_URL", "s3://sysndd/of-tests"),
    ("S3_ACCESS_KEY", "sysndd-of-tests"),
    ("S3_SECRET_KEY", "only-for-tests-0123456789"),
];

fn file() -> StackFile {
    StackFile::shipped().with("services.api.replicas", 2)
}

/// With the storage.
fn call(stack: &Deployment, arguments: &[&str]) -> Call {
    STORAGE
        .iter()
        .fold(stack.call(arguments), |call, (name, value)| {
            call.env(name, value)
        })
}

async fn made(stack: &Deployment) -> String {
    let made = call(stack, &["backup", "create"]).json().await;
    assert!(
        made["backup"]["table_count"].as_u64() > Some(10),
        "{made:#}"
    );
    text(&made["backup"]["filename"])
}

async fn in_database(stack: &Deployment, statement: &str) -> String {
    let answer = call(stack, &["db", "--", "-N", "-e", statement])
        .ends_with(0)
        .await;
    answer.stdout.trim().to_owned()
}

/// A script in the directory of backups of a container.
async fn among_backups(stack: &Deployment, container: &str, script: &str) {
    let script = format!("set -e; cd {DIR}; {script}");
    let (code, said) = stack.engine.exec(container, &["sh", "-c", &script]).await;
    assert_eq!(code, 0, "{said}");
}

async fn list(stack: &Deployment) -> Vec<Value> {
    let list = call(stack, &["backup", "list"]).json().await;
    list["backups"].as_array().expect("backups").clone()
}

async fn verify(stack: &Deployment) -> Report {
    call(stack, &["verify", "--suite", "backup"]).report().await
}

/// What the storage has.
async fn copies(stack: &Deployment) -> String {
    // A bucket that was lost is made again within half a minute; until then there are none.
    let fetch = call(stack, &["run", "api", "--", "backup", "fetch"]);
    fetch.run().await.stdout
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_backup_is_made_fetched_copied_away_and_brought_back() {
    let stack = Deployment::of(file().with(WAIT, "${WAIT:-600s}"));
    let up = call(&stack, &["up"]).json().await;
    let api = each(&up, "api", "name").remove(0);
    let minio = each(&up, "minio", "name").remove(0);
    assert_eq!(list(&stack).await, [Value::Null; 0]);
    // Each replica wrote to it, by TLS of the project's own.
    let checks = "storage.roundtrip,security.non-root";
    let report = call(&stack, &["verify", "--check", checks]).report().await;
    report.passes();
    let due = ["backup.recent", "backup.roundtrip"];
    assert_eq!(verify(&stack).await.ids("skip"), due);

    // So much that a copy goes and comes in several pieces; noise, so that it stays as long.
    let noise = "CREATE TABLE noise (bytes BLOB); SET SESSION cte_max_recursion_depth = 25000; \
        INSERT INTO noise WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 25000) \
        SELECT RANDOM_BYTES(1024) FROM n";
    in_database(&stack, noise).await;
    let first = made(&stack).await;
    let as_made = list(&stack).await.remove(0);
    let bytes = as_made["size_bytes"].as_u64();
    assert!(bytes > Some(20 << 20), "{as_made:#}");
    let shown = call(&stack, &["backup", "list"]).ends_with(0).await;
    assert!(shown.stdout.contains(&first), "{shown}");
    let whole = call(&stack, &["backup", "verify", "--load"]);
    let whole = whole.ends_with(0).await;
    let said = "is whole and can be loaded";
    assert!(whole.stdout.contains(said), "{whole}");
    assert_eq!(verify(&stack).await.ids("pass"), due);

    is_fetched_whole(&stack, &first).await;

    // In the storage: soon, and it is what is fetched when the directory lost it.
    eventually("a copy", async || {
        copies(&stack).await.contains(&first).then_some(())
    })
    .await;
    among_backups(&stack, &api, "rm *").await;
    assert_eq!(list(&stack).await, [Value::Null; 0]);
    call(&stack, &["run", "api", "--", "backup", "fetch", &first])
        .ends_with(0)
        .await;
    let fetched = list(&stack).await.remove(0);
    assert_eq!(text(&fetched["filename"]), first);
    // The fetched one was read whole for it.
    assert_eq!(fetched["checksum"], as_made["checksum"]);

    is_brought_back(&stack, &first).await;
    let audit = call(&stack, &["audit"]).ends_with(0).await;
    for command in ["backup create", "backup download", "backup restore"] {
        assert!(audit.stdout.contains(command), "{audit}");
    }

    // The storage loses all: the next look copies all again.
    let lose = ["sh", "-c", "rm -r /data/sysndd"];
    let (code, said) = stack.engine.exec(&minio, &lose).await;
    assert_eq!(code, 0, "{said}");
    let second = made(&stack).await;
    eventually("copies again", async || {
        let copies = copies(&stack).await;
        (copies.contains(&first) && copies.contains(&second)).then_some(())
    })
    .await;
    is_missed_and_used_again(&stack, &minio).await;
    comes_back_with_its_release(&stack, &text(&up["release"])).await;
}

/// By the shipped jobs: a release is gone back to with the data of then.
async fn comes_back_with_its_release(stack: &Deployment, release: &str) {
    call(stack, &["up"]).env("WAIT", "601s").ends_with(0).await;
    let write = "UPDATE genes SET symbol = 'LATER' WHERE symbol = 'ARID1B'";
    in_database(stack, write).await;
    let back = ["rollback", release, "--restore-backup"];
    let back = call(stack, &back).ends_with(0).await;
    back.says(&["with the data of pre-deploy_"]);
    let count = "SELECT COUNT(*) FROM genes WHERE symbol = 'LATER'";
    assert_eq!(in_database(stack, count).await, "0");
}

/// On this machine: whole, readable to its owner alone, and never over another file.
async fn is_fetched_whole(stack: &Deployment, name: &str) {
    let here = tempfile::tempdir().expect("a directory");
    let output = here.path().to_str().expect("a path");
    let download = ["backup", "download", "--output", output];
    let fetched = call(stack, &download).json().await;
    let path = here.path().join(name);
    assert_eq!(text(&fetched["path"]), path.to_str().expect("a path"));
    let file = fs::metadata(&path).expect("the backup");
    assert_eq!(Some(file.len()), fetched["backup"]["size_bytes"].as_u64());
    let mode = file.permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let again = call(stack, &download).ends_with(2).await;
    again.says(&["is there already"]);
    let none = ["backup", "download", "manual_2001-01-01_00-00-00.sql.zst"];
    let none = call(stack, &none).ends_with(2).await;
    none.says(&["there is no backup manual_2001", "hint: "]);
}

/// What was written since is gone, and a backup of that is there.
async fn is_brought_back(stack: &Deployment, name: &str) {
    let lose = "UPDATE genes SET symbol = 'LOST' WHERE symbol = 'ARID1B'";
    in_database(stack, lose).await;
    let count = "SELECT COUNT(*) FROM genes WHERE symbol = 'LOST'";
    assert_eq!(in_database(stack, count).await, "1");
    let restore = |word| call(stack, &["backup", "restore", name, "--confirm", word]);
    let refused = restore("restore").ends_with(2).await;
    refused.says(&["--confirm restore", "hint: `--confirm RESTORE`"]);
    restore("RESTORE").ends_with(0).await;
    assert_eq!(in_database(stack, count).await, "0");
    let list = list(stack).await;
    let kinds: Vec<String> = list.iter().map(|backup| text(&backup["kind"])).collect();
    assert_eq!(kinds, ["pre-restore", "manual"]);
}

/// A storage that is away is told of, and no replica is the worse for it.
async fn is_missed_and_used_again(stack: &Deployment, minio: &str) {
    let check = "storage.roundtrip";
    let storage = async |verdict: &str| {
        eventually("the storage's verdict", async || {
            let report = call(stack, &["verify", "--check", check]).report().await;
            (report.check(check)["verdict"] == verdict).then_some(())
        })
        .await;
    };
    stack.engine.stop(minio).await;
    storage("fail").await;
    let status = call(stack, &["status"]).json().await;
    let is_ready = |replica: &Value| replica["ready"] == true;
    assert!(replicas(&status, "api").iter().all(is_ready), "{status:#}");
    stack.engine.start(minio).await;
    storage("pass").await;
}

/// A backup of nothing that ends as it should: one block of Zstandard, not compressed.
fn empty_backup() -> Vec<u8> {
    let dump = "-- MySQL dump\n-- Dump completed on 2026-11-20 20:01:02\n";
    let length = u8::try_from(dump.len()).expect("a short one");
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    let block = (u32::from(length) << 3) | 1;
    bytes.extend_from_slice(&block.to_le_bytes()[..3]);
    bytes.extend_from_slice(dump.as_bytes());
    bytes
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn each_fault_of_a_backup_and_of_the_storage_is_found() {
    // A storage that takes everything and keeps nothing.
    let liar = r#"printf '%s' 'events {} pid /tmp/pid; error_log stderr;
        http { access_log off; client_max_body_size 0; client_body_temp_path /tmp/b;
          proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
          server { listen 9000 ssl; ssl_certificate /run/tls/cert.pem; ssl_certificate_key /run/tls/key.pem;
            location / { add_header ETag "\"0\""; return 200; } } }' > /tmp/liar.conf
        exec nginx -c /tmp/liar.conf -g 'daemon off;'"#;
    let liar = ["sh", "-c", &liar.replace('$', "$$")]
        .map(str::to_owned)
        .to_vec();
    let stack = Deployment::of(
        file()
            .with("services.minio.base", "nginx")
            .with("services.minio.entrypoint", liar),
    );
    let up = call(&stack, &["up"]).json().await;
    let api = each(&up, "api", "name").remove(0);
    eventually("a storage that is found out", async || {
        let report = call(&stack, &["verify", "--suite", "storage"])
            .report()
            .await;
        (report.check("storage.roundtrip")["verdict"] == "fail").then_some(())
    })
    .await;

    let name = made(&stack).await;
    verify(&stack).await.passes();
    among_backups(&stack, &api, "mkdir /app/data/kept; cp * /app/data/kept").await;
    let mend = "rm -f *; cp /app/data/kept/* .";
    let old = format!("{}2026-01-02{}", &name[..7], &name[17..]);
    let empty = empty_backup().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:03o}");
        text
    });
    let faults: [(&str, String, &[&str], &str); 5] = [
        (
            "cut off",
            format!("truncate -s -9 {name}"),
            &["backup.recent", "backup.roundtrip"],
            &name,
        ),
        (
            "changed",
            format!("printf 'as long' | dd of={name} bs=1 seek=300 conv=notrunc"),
            &["backup.roundtrip"],
            &name,
        ),
        (
            "unreadable",
            format!("chmod 0 {name}"),
            &["backup.recent", "backup.roundtrip"],
            &name,
        ),
        (
            "empty",
            // Since an hour: what may still be on its way is not read.
            format!("rm *; printf '{empty}' > {name}; touch -d '1 hour ago' {name}"),
            &["backup.recent", "backup.roundtrip"],
            &name,
        ),
        (
            "old",
            format!(
                "mv {name} {old}; sed -i s/{name}/{old}/ {name}.json; mv {name}.json {old}.json"
            ),
            &["backup.recent"],
            &old,
        ),
    ];
    for (what, script, checks, named) in faults {
        among_backups(&stack, &api, &script).await;
        let report = verify(&stack).await;
        assert_eq!(report.ids("fail"), checks, "{what}");
        for check in checks {
            report.naming(check, named);
        }
        among_backups(&stack, &api, mend).await;
        verify(&stack).await.passes();
    }
}
