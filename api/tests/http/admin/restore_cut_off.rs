//! Restores that are cut off, or come upon what another one left.

use mysql_async::Opts;
use mysql_async::prelude::Queryable as _;
use serde_json::json;

use super::restore::{Site, backup, restore, step};
use crate::app::As;
use crate::jobs::{becomes, insert};
use crate::support::{eventually, shipped_migrations, with_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_restore_that_dies_before_the_exchange_is_taken_back_and_after_it_is_finished() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let admin = app.administrator().await;
        site.fill().await;
        let old = site.picture().await;
        let name = backup(&app, &admin).await;
        site.change().await;
        let changed = site.picture().await;
        // It clears up, but takes no job.
        let other = site.replica_with("api-2", &[("SYSNDD_WORKERS", "0")]).await;

        // Somebody reads a table with a trigger, and so nothing can be exchanged.
        let mut reader = site.connect().await;
        reader.query_drop("BEGIN").await.expect("begun");
        reader
            .query_drop("SELECT COUNT(*) FROM everything_view")
            .await
            .expect("read");
        let job_id = restore(&app, &admin, &name).await;
        is_swapping(&site, "Waiting for table metadata lock").await;
        app.stop();
        reader.query_drop("COMMIT").await.expect("ended");
        site.is_cleared_up().await;
        assert_eq!(site.picture().await, changed, "as it was");
        // Whoever takes the job up says what came of it.
        let third = site.replica("api-3").await;
        let job = becomes(&third, &admin, job_id, "failed").await;
        assert_eq!(job["error"]["code"], "taken_back", "{job}");

        // Somebody is inside the function that must go after the exchange.
        reader.query_drop("BEGIN").await.expect("begun");
        reader
            .query_drop("SELECT shout_length('x')")
            .await
            .expect("called");
        let job_id = restore(&third, &admin, &name).await;
        is_swapping(&site, "Waiting for stored function metadata lock").await;
        third.stop();
        reader.query_drop("COMMIT").await.expect("ended");
        site.is_cleared_up().await;
        assert_eq!(site.picture().await, old, "as in the backup");
        let fourth = site.replica("api-4").await;
        let job = becomes(&fourth, &admin, job_id, "succeeded").await;
        assert_eq!(job["result"]["filename"], name, "{job}");

        // After the exchange something fails: it is exchanged back. Who came since the backup is still there, with
        // all that is theirs.
        site.change().await;
        fourth.user("irene.", "Viewer").await;
        let irene = fourth.sign_in("irene.").await;
        let wanted = json!({ "label": "nightly export", "days": 30 });
        let made = fourth.post(&irene, "/api/account/tokens", wanted).await;
        let script = As::Token(made.text("token").to_owned());
        let hers = insert(&db, "jobs.purge", &json!({}), Some("irene.")).await;
        becomes(&fourth, &irene, hers, "succeeded").await;
        let kept = kept(&site).await;
        let changed = site.picture().await;
        reader.query_drop("BEGIN").await.expect("begun");
        reader
            .query_drop("SELECT shout_length('x')")
            .await
            .expect("called");
        let job_id = restore(&fourth, &admin, &name).await;
        is_swapping(&site, "Waiting for stored function metadata lock").await;
        std::fs::write(site.dir.path().join(".restore-new.sql"), "CREATE NONSENSE;")
            .expect("written");
        reader.query_drop("COMMIT").await.expect("ended");
        let job = becomes(&fourth, &admin, job_id, "failed").await;
        assert!(
            job["error"]["message"]
                .as_str()
                .expect("text")
                .contains("NONSENSE"),
            "{job}"
        );
        site.is_cleared_up().await;
        assert_eq!(site.picture().await, changed, "as it was");
        assert_eq!(self::kept(&site).await, kept, "as it was");
        for who in [&irene, &script] {
            let account = fourth.get(who, "/api/account").await;
            assert_eq!(account.body["user_name"], "irene.", "{account:?}");
        }
        reader.disconnect().await.expect("closed");
        drop(other);
    })
    .await;
}

/// Who may come in, and whose the jobs are.
async fn kept(site: &Site) -> Vec<String> {
    let mut conn = site.connect().await;
    let mut kept = Vec::new();
    for query in [
        "SELECT CONCAT_WS('|', session_id, HEX(token_hash), user_id, epoch, expires_at) FROM sessions ORDER BY session_id",
        "SELECT CONCAT_WS('|', HEX(token_hash), user_id, purpose, label, expires_at) FROM user_tokens ORDER BY token_hash",
        "SELECT CONCAT('pace of ', user_id) FROM account_pace ORDER BY user_id",
        "SELECT CONCAT_WS('|', job_id, status, created_by, created_at) FROM jobs WHERE kind = 'jobs.purge' ORDER BY job_id",
    ] {
        let rows: Vec<String> = conn.query(query).await.expect(query);
        kept.extend(rows);
    }
    conn.disconnect().await.expect("closed");
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_restore_that_dies_while_it_saves_what_is_there_leaves_no_file_behind() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let admin = app.administrator().await;
        site.fill().await;
        let name = backup(&app, &admin).await;
        let other = site.replica("api-2").await;

        // The dump waits for this table.
        let mut holder = site.connect().await;
        holder
            .query_drop("LOCK TABLES everything WRITE")
            .await
            .expect("locked");
        let job_id = restore(&app, &admin, &name).await;
        step(&app, &admin, job_id, "making a backup of what is there").await;
        let has = |what: &str| {
            let mut files = std::fs::read_dir(site.dir.path()).expect("readable");
            files.any(|file| {
                let name = file.expect("an entry").file_name();
                name.to_string_lossy().contains(what)
            })
        };
        eventually("a backup is being written", async || {
            has(".partial-").then_some(())
        })
        .await;
        // Whoever writes these has no time to clear up.
        std::fs::write(site.dir.path().join(".restore-old.next"), "CREATE").expect("written");
        for replica in [&app, &other] {
            replica.stop();
        }
        holder.query_drop("UNLOCK TABLES").await.expect("unlocked");
        assert!(has(".partial-"), "nobody has cleared it up yet");

        let third = site.replica("api-3").await;
        let job = becomes(&third, &admin, job_id, "failed").await;
        assert_eq!(job["error"]["code"], "taken_back", "{job}");
        site.is_cleared_up().await;
        assert!(!has(".next"), "what was begun is gone");
        holder.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_directory_that_a_dying_server_left_keeps_no_fence_up_and_is_named_with_the_remedy() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let admin = app.administrator().await;
        let name = backup(&app, &admin).await;
        let root = Opts::from_url(&db.url()).expect("an address");
        let left = format!("{}__old", root.db_name().expect("a name"));
        let before = site.picture().await;

        let directory = ServerDirectory::make(&left);
        let job_id = restore(&app, &admin, &name).await;
        let job = becomes(&app, &admin, job_id, "failed").await;
        let message = job["error"]["message"].as_str().expect("text");
        assert!(message.contains(&format!("rmdir {left}")), "{job}");
        site.is_cleared_up().await;
        assert_eq!(site.picture().await, before);

        drop(directory);
        let job_id = restore(&app, &admin, &name).await;
        becomes(&app, &admin, job_id, "succeeded").await;
        site.is_cleared_up().await;
    })
    .await;
}

/// A directory in the server's data directory, of which the server knows nothing.
struct ServerDirectory(String);

impl ServerDirectory {
    fn make(name: &str) -> Self {
        inside_server(&["mkdir", name]);
        Self(name.to_owned())
    }
}

impl Drop for ServerDirectory {
    fn drop(&mut self) {
        inside_server(&["rmdir", &self.0]);
    }
}

/// Runs a program in the data directory of the server, as the server's user.
fn inside_server(program: &[&str]) {
    // `docker exec … ‹container› mysql …`
    let client = std::env::var("SYSNDD_TEST_MYSQL_CLIENT")
        .expect("SYSNDD_TEST_MYSQL_CLIENT: the client inside the server's container");
    let (exec, _) = client
        .split_once(" mysql ")
        .expect("a command that runs mysql");
    let (docker, container) = exec.rsplit_once(' ').expect("a container");
    let mut words = docker.split_whitespace();
    let ended = std::process::Command::new(words.next().expect("a program"))
        .args(words)
        .args(["--user", "mysql", "--workdir", "/var/lib/mysql", container])
        .args(program)
        .status();
    assert!(ended.expect("started").success(), "{program:?}");
}

/// Waits until the restore waits for somebody, which it does not do for ever.
async fn is_swapping(site: &Site, state: &str) {
    let mut conn = site.db.connect().await;
    let patience = eventually(state, async || {
        let patience: Option<String> = conn
            .exec_first(
                "SELECT v.variable_value FROM performance_schema.threads t \
                 JOIN performance_schema.variables_by_thread v USING (thread_id) \
                 WHERE t.processlist_state = ? AND t.processlist_db = DATABASE() AND v.variable_name = 'lock_wait_timeout'",
                (state,),
            )
            .await
            .expect("asked");
        patience
    })
    .await;
    assert_eq!(patience, "10", "seconds");
    conn.disconnect().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn what_cannot_be_taken_back_yet_is_left_to_be_taken_back() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let shipped = shipped_migrations();
        let run = async |arguments: &[&str]| site.command(&shipped, arguments).await;
        let (code, _, stderr) = run(&["migrate", "up"]).await;
        assert_eq!(code, 0, "{stderr}");
        site.fill().await;
        let (code, _, stderr) = run(&["backup", "create"]).await;
        assert_eq!(code, 0, "{stderr}");
        let before = site.picture().await;
        let root = Opts::from_url(&db.url()).expect("an address");
        let old = format!("{}__old", root.db_name().expect("a name"));
        let fence = site.dir.path().join(".restore.json");

        // What was written down of the definitions is gone; those that are there must not go as well.
        let state = json!({
            "id": "command-1", "filename": "manual_2020-01-01_00-00-00.sql.zst", "step": "swapping", "restored": null,
        });
        std::fs::write(&fence, state.to_string()).expect("written");
        // A backup would be one of half of it, and what is changed would be lost.
        let files = site.files();
        let account = ["admin", "create", "--user-name", "marie", "--email", "marie@example.org"];
        for (arguments, why) in [
            (&["backup", "verify", "--load"][..], ".restore-old.sql"),
            (&["backup", "create"], ".restore-old.sql"),
            (&["migrate", "up"], "is being restored"),
            (&account, "is being restored"),
        ] {
            let (code, _, stderr) = run(arguments).await;
            assert_eq!(code, 1, "{arguments:?}: {stderr}");
            assert!(stderr.contains(why), "{arguments:?}: {stderr}");
        }
        assert_eq!(site.files(), files);
        assert_eq!(site.picture().await, before);

        // Nobody knows how far that restore was: what is beside the live database may be the original.
        std::fs::write(&fence, "{").expect("written");
        let mut conn = db.connect().await;
        for statement in [
            format!("CREATE DATABASE {old}"),
            format!("CREATE TABLE {old}.original (id INT)"),
        ] {
            conn.query_drop(statement).await.expect("done");
        }
        let (code, _, stderr) = run(&["backup", "verify", "--load"]).await;
        assert_eq!(code, 1, "{stderr}");
        let left: Option<u64> = conn
            .query_first(format!("SELECT COUNT(*) FROM {old}.original"))
            .await
            .expect("it is still there");
        assert_eq!(left, Some(0));

        // Of one that never got so far nothing is needed: a backup clears it up and is made.
        let preparing = state.to_string().replace("swapping", "preparing");
        std::fs::write(&fence, preparing).expect("written");
        for arguments in [&["backup", "create"][..], &["backup", "verify", "--load"]] {
            let (code, _, stderr) = run(arguments).await;
            assert_eq!(code, 0, "{stderr}");
            site.is_cleared_up().await;
        }
        assert_eq!(site.picture().await, before);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn how_another_restore_ended_is_not_taken_for_the_end_of_this_one() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let idle = site.replica_with("api-1", &[("SYSNDD_WORKERS", "0")]).await;
        let admin = idle.administrator().await;
        site.fill().await;
        let shipped = shipped_migrations();
        let (code, stdout, stderr) = site.command(&shipped, &["backup", "create"]).await;
        assert_eq!(code, 0, "{stderr}");
        let made: serde_json::Value =
            serde_json::from_str(stdout.last().expect("a line")).expect("JSON");
        let name = made["filename"].as_str().expect("a name");
        let before = site.picture().await;
        site.change().await;

        // In a new database the numbers of jobs begin anew, beside what was noted in the one before.
        let job_id = restore(&idle, &admin, name).await;
        let stale = json!({
            "id": format!("job-{job_id}"),
            "end": { "restored": {
                "filename": name, "pre_restore": "pre-restore_2020-01-01_00-00-00.sql.zst", "table_count": 1,
                "migration_head": null,
            } },
        });
        std::fs::write(
            site.dir.path().join(".restore-outcome.json"),
            stale.to_string(),
        )
        .expect("written");
        let app = site.replica("api-2").await;
        becomes(&app, &admin, job_id, "succeeded").await;
        assert_eq!(site.picture().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn who_waits_for_long_requests_keeps_the_lock_alive() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site
            .replica_with("api-1", &[("SYSNDD_REQUEST_TIMEOUT", "10m")])
            .await;
        let admin = app.administrator().await;
        let name = backup(&app, &admin).await;
        let job_id = restore(&app, &admin, &name).await;
        step(&app, &admin, job_id, "waiting for changes that are under way").await;
        // The server ends connections that say nothing for half a minute.
        let mut conn = db.connect().await;
        let mut said = async || {
            let said: Option<u64> = conn
                .query_first(
                    "SELECT CAST(SUM(s.count_star) AS UNSIGNED) \
                     FROM performance_schema.events_statements_summary_by_thread_by_event_name s \
                     JOIN performance_schema.threads t USING (thread_id) \
                     JOIN performance_schema.metadata_locks l ON l.owner_thread_id = t.thread_id \
                     WHERE l.object_type = 'USER LEVEL LOCK' AND l.object_name LIKE 'sysndd-backup:%' \
                       AND t.processlist_db = DATABASE() HAVING COUNT(*) > 0",
                )
                .await
                .expect("asked");
            said.expect("somebody has the lock")
        };
        let first = said().await;
        eventually("a sign of life", async || (said().await > first).then_some(())).await;
        conn.disconnect().await.expect("closed");

        // Behind the fence it is the one thing that can be asked for: that it stops.
        let stop = format!("/api/admin/jobs/{job_id}/cancel");
        let stopped = app.post(&admin, &stop, json!({})).await;
        assert_eq!(stopped.status.as_u16(), 200, "{stopped:?}");
        let again = format!("/api/admin/jobs/{job_id}/retry");
        app.post(&admin, &again, json!({})).await.is_problem(503, "being restored");
        becomes(&app, &admin, job_id, "cancelled").await;
        site.is_cleared_up().await;
    })
    .await;
}
