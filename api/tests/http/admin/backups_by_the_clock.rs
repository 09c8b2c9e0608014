//! What happens to backups without anybody asking: by the clock, by mail, and to their copies.

use std::path::Path;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

use super::backups::{client_dir, put};
use crate::app::{As, TestApp};
use crate::jobs::{becomes, insert};
use crate::mail::address;
use crate::mailbox::{Mailbox, by_way_of, smtp};
use crate::support::{Database, eventually, lost_job, with_database};

async fn replica(db: &Database, dir: &Path, more: &[(&str, &str)]) -> TestApp {
    let (url, client) = (db.url(), client_dir());
    let own = [
        ("SYSNDD_BACKUP_DIR", dir.to_str().expect("text")),
        ("SYSNDD_MYSQL_CLIENT_DIR", client.as_str()),
        ("SYSNDD_RESTORE_DATABASE_URL", url.as_str()),
    ];
    TestApp::with(db, "api-1", &[&own, more].concat()).await
}

async fn run(db: &Database, app: &TestApp, who: &As, kind: &str, status: &str) -> Value {
    let job_id = insert(db, kind, &json!({}), None).await;
    becomes(app, who, job_id, status).await
}

/// Gives the administrator an address that no other test has.
async fn who_is_told(conn: &mut Conn) -> String {
    let email = address("marie");
    conn.exec_drop("UPDATE users SET email = ?", (&email,))
        .await
        .expect("changed");
    email
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .expect("readable")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter(|name| name.ends_with(".sql.zst"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn the_clock_makes_a_backup_forgets_old_ones_and_tries_the_newest() {
    with_database(async |db| {
        let dir = tempfile::tempdir().expect("a directory");
        let share = tempfile::tempdir().expect("a directory");
        let url = format!("file://{}", share.path().display());
        let app = replica(&db, dir.path(), &[("SYSNDD_STORAGE_URL", &url), ("SYSNDD_BACKUP_KEEP_DAYS", "1"), ("SYSNDD_BACKUP_KEEP_WEEKS", "1"), ("SYSNDD_BACKUP_KEEP_MONTHS", "1")]).await;
        let admin = app.administrator().await;
        let first = run(&db, &app, &admin, "backup.scheduled", "succeeded").await["result"].clone();
        assert_eq!(first["kind"], "scheduled", "{first}");
        let first = first["filename"].as_str().expect("a name").to_owned();
        let copied = || names(share.path()).contains(&first);
        eventually("the copy", async || copied().then_some(())).await;
        let old = ["scheduled_2020-01-01_00-00-00.sql.zst", "manual_2020-01-01_00-00-00.sql.zst"];
        for old in old {
            std::fs::copy(dir.path().join(&first), dir.path().join(old)).expect("copied");
        }
        let second = run(&db, &app, &admin, "backup.scheduled", "succeeded").await["result"].clone();
        let second = second["filename"].as_str().expect("a name").to_owned();
        assert_eq!(names(dir.path()), [old[1], &second]);
        eventually("its copy goes as well", async || (!copied()).then_some(())).await;

        let tried = run(&db, &app, &admin, "backup.test", "succeeded").await["result"].clone();
        assert_eq!(tried["filename"], second, "{tried}");
        assert!(tried["tested_at"].is_string(), "{tried}");
        let list = app.get(&admin, "/api/admin/backups").await.body;
        assert_eq!(list["backups"][0], tried);
        // One that cannot be loaded is found.
        let path = dir.path().join(&second);
        let mut bytes = std::fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes.push(0);
        std::fs::write(&path, bytes).expect("written");
        let job = run(&db, &app, &admin, "backup.test", "failed").await;
        assert_eq!(job["error"]["code"], "bad_backup", "{job}");
        let mut conn = db.connect().await;
        let left: Vec<String> = conn
            .query("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE CONCAT(REPLACE(DATABASE(), '_', '\\\\_'), '\\\\_\\\\_%')")
            .await
            .expect("asked");
        assert_eq!(left, [""; 0]);
        // It counts no more.
        eventually("the metrics", async || {
            let text = app.request(reqwest::Method::GET, "/metrics").send().await.expect("answered").text().await.expect("text");
            let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            (value("sysndd_backups ") == Some(1) && value("sysndd_backup_newest_timestamp_seconds ").is_some()).then_some(())
        })
        .await;
        // All of it is in the timetable.
        eventually("the clock has run", async || {
            let kinds: Vec<String> = conn.query("SELECT kind FROM job_schedule").await.expect("asked");
            ["backup.scheduled", "backup.test", "backup.mirror"].iter().all(|kind| kinds.iter().any(|it| it == kind)).then_some(())
        })
        .await;
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn administrators_are_told_how_it_ended() {
    with_database(async |db| {
        let dir = tempfile::tempdir().expect("a directory");
        let (server, mailbox) = (smtp(), Mailbox::open());
        let app = replica(&db, dir.path(), &by_way_of(&server)).await;
        let admin = app.administrator().await;
        let mut conn = db.connect().await;
        let email = who_is_told(&mut conn).await;
        let made = run(&db, &app, &admin, "backup.scheduled", "succeeded").await;
        let letter = mailbox.mails(&email, 1).await.remove(0);
        assert_eq!(letter.subject, "SysNDD: scheduled backup done");
        let name = made["result"]["filename"].as_str().expect("a name");
        assert!(
            letter.text.contains(name) && letter.text.contains("/admin/backups"),
            "{letter:?}"
        );

        // Its worker died, and it was the last try.
        lost_job(&mut conn, "backup.create", r#"{"kind": "manual"}"#).await;
        conn.disconnect().await.expect("closed");
        let letters = mailbox.mails(&email, 2).await;
        let letter = letters
            .iter()
            .find(|letter| letter.subject == "SysNDD: backup FAILED")
            .expect("a letter");
        assert!(letter.text.contains("no more sign of life"), "{letter:?}");

        std::fs::write(dir.path().join(name), "no backup any more").expect("written");
        run(&db, &app, &admin, "backup.test", "failed").await;
        let letters = mailbox.mails(&email, 3).await;
        let letter = letters
            .iter()
            .find(|letter| letter.subject == "SysNDD: test of the newest backup FAILED")
            .expect("a letter");
        assert!(letter.text.contains("when it was made"), "{letter:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn copies_go_to_the_object_storage_and_only_go_away_with_their_backup() {
    with_database(async |db| {
        let (dir, share) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let url = format!("file://{}", share.path().display());
        let app = replica(&db, dir.path(), &[("SYSNDD_STORAGE_URL", &url)]).await;
        let admin = app.administrator().await;
        let begun = app.post(&admin, "/api/admin/backups", json!({})).await;
        let job = becomes(
            &app,
            &admin,
            begun.body["job_id"].as_u64().expect("a number"),
            "succeeded",
        )
        .await;
        let name = job["result"]["filename"]
            .as_str()
            .expect("a name")
            .to_owned();
        eventually("the copy", async || {
            (names(share.path()) == [name.as_str()]).then_some(())
        })
        .await;
        let (here, there) = (dir.path().join(&name), share.path().join(&name));
        let bytes = std::fs::read(&here).expect("readable");
        assert_eq!(std::fs::read(&there).expect("readable"), bytes);

        // A lost volume is no reason to forget the copies; one that was cut off is made again.
        std::fs::rename(&here, dir.path().join("elsewhere")).expect("moved");
        run(&db, &app, &admin, "backup.mirror", "succeeded").await;
        assert_eq!(names(share.path()), [name.as_str()]);
        std::fs::rename(dir.path().join("elsewhere"), &here).expect("moved");
        std::fs::write(&there, &bytes[..9]).expect("written");
        run(&db, &app, &admin, "backup.mirror", "succeeded").await;
        assert_eq!(std::fs::read(&there).expect("readable"), bytes);

        let report = eventually("a trial", async || {
            let report = app.get(&As::Nobody, "/health/ready").await.body["storage"].clone();
            let is_known = report["status"] != "unknown" && report["copies_missing"].is_number();
            is_known.then_some(report)
        })
        .await;
        assert_eq!(
            (&report["backend"], &report["status"]),
            (&json!("fs"), &json!("up")),
            "{report}"
        );
        assert_eq!(
            names(share.path()).len(),
            std::fs::read_dir(share.path()).expect("readable").count(),
            "nothing is left of trials"
        );

        app.delete(&admin, &format!("/api/admin/backups/{name}"))
            .await;
        eventually("the copy goes", async || {
            names(share.path()).is_empty().then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn what_cannot_be_copied_holds_up_no_other_and_is_told_once() {
    with_database(async |db| {
        let (dir, share) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let url = format!("file://{}", share.path().display());
        let (server, mailbox) = (smtp(), Mailbox::open());
        let more = [
            ("SYSNDD_STORAGE_URL", url.as_str()),
            ("SYSNDD_BACKUP_MAIL", "failures"),
        ];
        let more = [&more[..], &by_way_of(&server)].concat();
        let app = replica(&db, dir.path(), &more).await;
        let admin = app.administrator().await;
        let mut conn = db.connect().await;
        let email = who_is_told(&mut conn).await;
        // From here on the clock copies nothing.
        eventually("the clock has run", async || {
            conn.query_drop("UPDATE job_schedule SET fired_for = '2100-01-01' WHERE kind = 'backup.mirror'")
                .await
                .expect("changed");
            (conn.affected_rows() == 1).then_some(())
        })
        .await;
        let made = run(&db, &app, &admin, "backup.scheduled", "succeeded").await;
        let made = made["result"]["filename"].as_str().expect("a name");
        eventually("the first copies", async || {
            let left: u64 = conn
                .query_first("SELECT COUNT(*) FROM jobs WHERE kind = 'backup.mirror' AND status IN ('queued', 'running')")
                .await
                .expect("asked")
                .expect("a row");
            (left == 0 && share.path().join(made).exists()).then_some(())
        })
        .await;

        let bytes = std::fs::read(dir.path().join(made)).expect("readable");
        let [old, stuck, cut] = [1, 2, 3].map(|day| format!("manual_2020-01-0{day}_00-00-00.sql.zst"));
        put(&dir.path().join(&old), &bytes);
        put(&dir.path().join(&stuck), &bytes);
        std::fs::create_dir_all(share.path().join(&stuck).join("in the way")).expect("made");
        std::fs::write(share.path().join(&cut), &bytes).expect("written");
        put(&dir.path().join(&cut), &bytes[..bytes.len() / 2]);
        let mut mirror = async |status: &str| {
            conn.query_drop("INSERT INTO jobs (kind, payload, max_attempts) VALUES ('backup.mirror', '{}', 1)")
                .await
                .expect("inserted");
            let job_id = conn.last_insert_id().expect("a number");
            becomes(&app, &admin, job_id, status).await
        };
        eventually("all are read", async || {
            let list = app.get(&admin, "/api/admin/backups").await.body["backups"].clone();
            let read = list.as_array().expect("a list").iter().filter(|backup| backup["checksum"].is_string());
            (read.count() == 4).then_some(())
        })
        .await;
        let job = mirror("failed").await;
        assert!(job["error"]["message"].as_str().expect("text").contains(&stuck), "{job}");
        assert_eq!(std::fs::read(share.path().join(&old)).expect("copied"), bytes);
        assert_eq!(std::fs::read(share.path().join(&cut)).expect("still there"), bytes);
        let letter = mailbox.mails(&email, 1).await.remove(0);
        assert_eq!(letter.subject, "SysNDD: copying of backups FAILED");
        assert!(letter.text.contains(&stuck), "{letter:?}");
        mirror("failed").await;
        eventually("the metrics", async || {
            let text = app.request(reqwest::Method::GET, "/metrics").send().await.expect("answered").text().await.expect("text");
            text.lines().any(|it| it == "sysndd_storage_copies_missing 1").then_some(())
        })
        .await;

        // Nobody knows yet what this is; what is there stays.
        std::fs::remove_dir_all(share.path().join(&stuck)).expect("removed");
        std::fs::write(dir.path().join(&cut), &bytes[..9]).expect("written");
        mirror("succeeded").await;
        assert_eq!(std::fs::read(share.path().join(&cut)).expect("still there"), bytes);
        assert_eq!(std::fs::read(share.path().join(&stuck)).expect("copied"), bytes);
        let letters: u64 = conn
            .query_first("SELECT COUNT(*) FROM jobs WHERE kind = 'mail.send'")
            .await
            .expect("asked")
            .expect("a row");
        assert_eq!(letters, 1);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_copy_comes_back_by_the_command_line_and_only_whole() {
    with_database(async |db| {
        let (dir, share) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let run = async |arguments: &[&str]| {
            let (status, stdout, stderr) = crate::support::Launch::new(arguments)
                .set("SYSNDD_DATABASE_URL", db.url())
                .set("SYSNDD_BACKUP_DIR", dir.path())
                .set("SYSNDD_MYSQL_CLIENT_DIR", client_dir())
                .set("SYSNDD_BACKUP_KEEP_BEFORE", "1")
                .set(
                    "SYSNDD_STORAGE_URL",
                    format!("file://{}", share.path().display()),
                )
                .start()
                .end()
                .await;
            (status.code().expect("an end"), stdout.concat(), stderr)
        };
        let (code, stdout, stderr) = run(&["backup", "create"]).await;
        assert_eq!(code, 0, "{stderr}");
        let made: Value = serde_json::from_str(&stdout).expect("JSON");
        let name = made["filename"].as_str().expect("a name");
        std::fs::rename(dir.path().join(name), share.path().join(name)).expect("moved");
        std::fs::remove_file(dir.path().join(format!("{name}.json"))).expect("removed");
        let (code, stdout, _) = run(&["backup", "fetch"]).await;
        assert!(code == 0 && stdout.starts_with(name), "{stdout}");
        let (code, stdout, stderr) = run(&["backup", "fetch", name]).await;
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(serde_json::from_str::<Value>(&stdout).expect("JSON"), made);

        // It takes the place of a file that is spoilt, and of no other.
        let bytes = std::fs::read(share.path().join(name)).expect("readable");
        std::fs::write(dir.path().join(name), &bytes[..bytes.len() / 2]).expect("written");
        let (code, stdout, stderr) = run(&["backup", "fetch", name]).await;
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(serde_json::from_str::<Value>(&stdout).expect("JSON"), made);
        let (code, _, stderr) = run(&["backup", "fetch", name]).await;
        assert!(
            code == 1 && stderr.contains("is there, and whole"),
            "{stderr}"
        );

        let other = "manual_2020-01-01_00-00-00.sql.zst";
        std::fs::write(share.path().join(other), &bytes[..bytes.len() / 2]).expect("written");
        let (code, _, stderr) = run(&["backup", "fetch", other]).await;
        assert!(code == 1 && stderr.contains("decompressed"), "{stderr}");
        assert_eq!(names(dir.path()), [name]);

        // Where no clock makes backups, old ones go when somebody makes one.
        for day in [1, 2] {
            let old = format!("pre-deploy_2020-01-0{day}_00-00-00.sql.zst");
            std::fs::copy(dir.path().join(name), dir.path().join(old)).expect("copied");
        }
        let (code, stdout, stderr) = run(&["backup", "create", "--kind", "pre-deploy"]).await;
        assert_eq!(code, 0, "{stderr}");
        let newest: Value = serde_json::from_str(&stdout).expect("JSON");
        let newest = newest["filename"].as_str().expect("a name");
        assert_eq!(names(dir.path()), [name, newest]);
    })
    .await;
}
