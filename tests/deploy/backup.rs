//! Backups from the operator's side: made, checked, fetched, copied and brought back; and what `verify`
//! says of bad ones.

use std::fs;

use serde_json::Value;

use super::harness::{Call, Deployment, StackFile, each, eventually, replicas, text};

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

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_backup_is_made_fetched_copied_away_and_brought_back() {
    let stack = Deployment::of(file());
    let up = call(&stack, &["up"]).json().await;
    assert_eq!(replicas(&up, "minio").len(), 1);
    let api = each(&up, "api", "name").remove(0);
    let list = async || {
        let list = call(&stack, &["backup", "list"]).json().await;
        list["backups"].as_array().expect("backups").clone()
    };
    assert_eq!(list().await, [Value::Null; 0]);
    // Both ways around: the storage is told of by the replicas, and its TLS is the project's own.
    let report = call(
        &stack,
        &["verify", "--check", "storage.roundtrip,security.non-root"],
    )
    .report()
    .await;
    report.passes();
    let report = call(&stack, &["verify", "--suite", "backup"])
        .report()
        .await;
    assert_eq!(report.ids("skip"), ["backup.recent", "backup.roundtrip"]);

    let first = made(&stack).await;
    let text_list = call(&stack, &["backup", "list"]).ends_with(0).await;
    assert!(text_list.stdout.contains(&first), "{text_list}");
    let whole = call(&stack, &["backup", "verify", "--load"])
        .ends_with(0)
        .await;
    assert!(
        whole.stdout.contains("is whole and can be loaded"),
        "{whole}"
    );
    let report = call(&stack, &["verify", "--suite", "backup"])
        .report()
        .await;
    assert_eq!(report.ids("pass"), ["backup.recent", "backup.roundtrip"]);

    // On this machine: whole, readable to its owner alone, and never over another file.
    let here = tempfile::tempdir().expect("a directory");
    let output = here.path().to_str().expect("a path");
    let fetched = call(&stack, &["backup", "download", "--output", output])
        .json()
        .await;
    let path = here.path().join(&first);
    assert_eq!(text(&fetched["path"]), path.to_str().expect("a path"));
    let bytes = fs::read(&path).expect("the backup");
    assert_eq!(
        Some(bytes.len() as u64),
        fetched["backup"]["size_bytes"].as_u64()
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(&path).expect("the backup").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    call(&stack, &["backup", "download", "--output", output])
        .ends_with(2)
        .await
        .says(&["is there already"]);
    call(
        &stack,
        &["backup", "download", "manual_2001-01-01_00-00-00.sql.zst"],
    )
    .ends_with(2)
    .await
    .says(&["there is no backup manual_2001", "hint: "]);

    // In the storage: soon, and it is what is fetched when the directory lost it.
    let copies = async || {
        // A bucket that was lost is made again within half a minute.
        let fetch = call(&stack, &["run", "api", "--", "backup", "fetch"]);
        fetch.run().await.stdout
    };
    eventually("a copy", async || {
        copies().await.contains(&first).then_some(())
    })
    .await;
    among_backups(&stack, &api, "rm *").await;
    assert_eq!(list().await, [Value::Null; 0]);
    call(&stack, &["run", "api", "--", "backup", "fetch", &first])
        .ends_with(0)
        .await;
    assert_eq!(text(&list().await[0]["filename"]), first);

    // Back: what was written since is gone, and a backup of that is there.
    in_database(
        &stack,
        "UPDATE genes SET symbol = 'LOST' WHERE symbol = 'ARID1B'",
    )
    .await;
    let count = "SELECT COUNT(*) FROM genes WHERE symbol = 'LOST'";
    assert_eq!(in_database(&stack, count).await, "1");
    call(
        &stack,
        &["backup", "restore", &first, "--confirm", "restore"],
    )
    .ends_with(2)
    .await
    .says(&["--confirm restore", "hint: `--confirm RESTORE`"]);
    call(
        &stack,
        &["backup", "restore", &first, "--confirm", "RESTORE"],
    )
    .ends_with(0)
    .await;
    assert_eq!(in_database(&stack, count).await, "0");
    let kinds: Vec<String> = list()
        .await
        .iter()
        .map(|backup| text(&backup["kind"]))
        .collect();
    assert_eq!(kinds, ["pre-restore", "manual"]);
    let audit = call(&stack, &["audit"]).ends_with(0).await;
    for command in ["backup create", "backup download", "backup restore"] {
        assert!(audit.stdout.contains(command), "{audit}");
    }

    // The storage loses all: the next look copies all again.
    let minio = each(&up, "minio", "name").remove(0);
    let (code, said) = stack
        .engine
        .exec(&minio, &["sh", "-c", "rm -r /data/sysndd"])
        .await;
    assert_eq!(code, 0, "{said}");
    let second = made(&stack).await;
    eventually("copies again", async || {
        let copies = copies().await;
        (copies.contains(&first) && copies.contains(&second)).then_some(())
    })
    .await;

    // Away, it is said, and no replica is the worse for it; it is used again when it is back.
    stack.engine.stop(&minio).await;
    let storage = async |verdict: &str| {
        eventually("the storage's verdict", async || {
            let verify = call(&stack, &["verify", "--check", "storage.roundtrip"]);
            (verify.report().await.check("storage.roundtrip")["verdict"] == verdict).then_some(())
        })
        .await;
    };
    storage("fail").await;
    let status = call(&stack, &["status"]).json().await;
    assert!(
        replicas(&status, "api")
            .iter()
            .all(|api| api["ready"] == true),
        "{status:#}"
    );
    stack.engine.start(&minio).await;
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
    let verify = async || {
        call(&stack, &["verify", "--suite", "backup"])
            .report()
            .await
    };
    verify().await.passes();
    among_backups(&stack, &api, "mkdir /app/data/kept; cp * /app/data/kept").await;
    let mend = "rm -f *; cp /app/data/kept/* .";
    let old = format!("{}2026-01-02{}", &name[..7], &name[17..]);
    let empty: String = empty_backup()
        .iter()
        .map(|byte| format!("\\{byte:03o}"))
        .collect();
    let faults: [(&str, String, &[&str], &str); 4] = [
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
            "empty",
            format!("rm *; printf '{empty}' > {name}"),
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
        let report = verify().await;
        assert_eq!(report.ids("fail"), checks, "{what}");
        for check in checks {
            report.naming(check, named);
        }
        among_backups(&stack, &api, mend).await;
        verify().await.passes();
    }
}
