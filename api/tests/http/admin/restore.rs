use std::path::Path;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use super::backups::{client_dir, picture};
use crate::app::{As, TestApp};
use crate::jobs::{becomes, insert};
use crate::support::{Database, Launch, eventually, shipped_migrations, with_database};

const EVERYTHING: &str = include_str!("everything.sql");

/// A database as it is set up for an application: one account for it, another one for restoring.
pub(super) struct Site {
    pub(super) db: Database,
    pub(super) url: String,
    restore_url: String,
    pub(super) dir: tempfile::TempDir,
}

impl Site {
    pub(super) async fn new(db: &Database) -> Self {
        let root = Opts::from_url(&db.url()).expect("an address");
        let name = root.db_name().expect("a name").to_owned();
        let at = |user: &str, password: &str| {
            format!("mysql://{user}:{password}@{}/{name}", Database::host())
        };
        let (user, restore_user) = (format!("a_{name}"), format!("r_{name}"));
        let site = Self {
            db: db.clone(),
            url: at(&user, "it%27s-long-enough-7"),
            restore_url: at(&restore_user, "it%27s%5C-long-enough-7"),
            dir: tempfile::tempdir().expect("a directory"),
        };
        let mut conn = db.connect().await;
        for statement in [
            format!("DROP USER IF EXISTS {user}, {restore_user}"),
            format!("CREATE USER {user} IDENTIFIED BY 'it''s-long-enough-7'"),
            format!("GRANT ALL ON `{}`.* TO {user}", name.replace('_', "\\_")),
        ] {
            conn.query_drop(statement).await.expect("done");
        }
        conn.disconnect().await.expect("closed");
        // Twice: it is part of each deployment.
        for _ in 0..2 {
            let (status, _, stderr) = Launch::new(&["admin", "restore-account"])
                .set("SYSNDD_ROOT_DATABASE_URL", db.url())
                .set("SYSNDD_RESTORE_DATABASE_URL", &site.restore_url)
                .start()
                .end()
                .await;
            assert!(status.success(), "{stderr}");
        }
        site
    }

    pub(super) async fn replica(&self, name: &str) -> TestApp {
        self.replica_with(name, &[]).await
    }

    pub(super) async fn replica_with(&self, name: &str, more: &[(&str, &str)]) -> TestApp {
        let (dir, client) = (self.dir.path().to_str().expect("text"), client_dir());
        let own = [
            ("SYSNDD_BACKUP_DIR", dir),
            ("SYSNDD_MYSQL_CLIENT_DIR", client.as_str()),
            ("SYSNDD_RESTORE_DATABASE_URL", self.restore_url.as_str()),
            ("SYSNDD_JOB_LEASE", "10s"),
            // A restore waits so long for requests that are under way.
            ("SYSNDD_REQUEST_TIMEOUT", "6s"),
        ];
        TestApp::behind(&self.db, &self.url, name, &[&own, more].concat()).await
    }

    /// The command line, with these migrations; answers its code and what it said.
    pub(super) async fn command(
        &self,
        migrations: &Path,
        arguments: &[&str],
    ) -> (i32, Vec<String>, String) {
        let (status, stdout, stderr) = Launch::new(arguments)
            .set("SYSNDD_DATABASE_URL", &self.url)
            .set("SYSNDD_RESTORE_DATABASE_URL", &self.restore_url)
            .set("SYSNDD_BACKUP_DIR", self.dir.path())
            .set("SYSNDD_MYSQL_CLIENT_DIR", client_dir())
            .set("SYSNDD_MIGRATIONS_DIR", migrations)
            .start()
            .end()
            .await;
        (status.code().expect("an end"), stdout, stderr)
    }

    /// As the application's account.
    pub(super) async fn connect(&self) -> Conn {
        Conn::new(Opts::from_url(&self.url).expect("an address"))
            .await
            .expect("connected")
    }

    pub(super) async fn fill(&self) {
        let mut conn = self.connect().await;
        for statement in EVERYTHING.split("\n//\n") {
            conn.query_drop(statement).await.expect(statement);
        }
        conn.disconnect().await.expect("closed");
    }

    /// Changes much of what `fill` made.
    pub(super) async fn change(&self) {
        let mut conn = self.connect().await;
        for statement in [
            "DROP VIEW a_view_of_a_view",
            "DROP TRIGGER everything_noted",
            "DROP EVENT far_away",
            "CREATE TRIGGER of_later AFTER DELETE ON child FOR EACH ROW SET @x = 1",
            "CREATE VIEW of_later_too AS SELECT 1 AS one",
            "DELETE FROM everything WHERE id > 1",
            "ALTER TABLE everything ADD later INT",
            "DROP TABLE nothing",
            "CREATE TABLE made_later (id INT PRIMARY KEY, entity INT, FOREIGN KEY (entity) REFERENCES everything (id))",
            "INSERT INTO made_later VALUES (1, 1)",
        ] {
            conn.query_drop(statement).await.expect(statement);
        }
        conn.disconnect().await.expect("closed");
    }

    pub(super) async fn picture(&self) -> Vec<String> {
        let mut conn = self.connect().await;
        let picture = picture(&mut conn).await;
        conn.disconnect().await.expect("closed");
        picture
    }

    /// What lies in the directory of backups.
    pub(super) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("readable");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    /// Nothing is left of a restore, whichever way it went.
    pub(super) async fn is_cleared_up(&self) {
        let mut conn = self.db.connect().await;
        eventually("the fence is down", async || {
            (!self.dir.path().join(".restore.json").exists()).then_some(())
        })
        .await;
        let left: Vec<String> = conn
            .query("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE CONCAT(REPLACE(DATABASE(), '_', '\\\\_'), '\\\\_\\\\_%')")
            .await
            .expect("asked");
        assert_eq!(left, [""; 0]);
        for name in self.files() {
            assert!(
                !name.contains(".partial-")
                    && !name.contains(".restore-new")
                    && !name.contains(".restore-old"),
                "{name}"
            );
        }
        conn.disconnect().await.expect("closed");
    }
}

pub(super) async fn backup(app: &TestApp, who: &As) -> String {
    let begun = app.post(who, "/api/admin/backups", json!({})).await;
    let job = becomes(
        app,
        who,
        begun.body["job_id"].as_u64().expect("a number"),
        "succeeded",
    )
    .await;
    job["result"]["filename"]
        .as_str()
        .expect("a name")
        .to_owned()
}

pub(super) async fn restore(app: &TestApp, who: &As, name: &str) -> u64 {
    let path = format!("/api/admin/backups/{name}/restore");
    let begun = app.post(who, &path, json!({ "confirm": "RESTORE" })).await;
    assert_eq!(begun.status.as_u16(), 202, "{begun:?}");
    begun.body["job_id"].as_u64().expect("a number")
}

pub(super) async fn step(app: &TestApp, who: &As, job_id: u64, step: &str) {
    eventually(step, async || {
        let job = app.get(who, &format!("/api/jobs/{job_id}")).await.body;
        (job["step"] == step).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_restored_database_is_what_it_was_and_who_was_signed_in_still_is() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let other = site.replica("api-2").await;
        let admin = app.administrator().await;
        site.fill().await;
        app.user("pierre", "Curator").await;
        let before = site.picture().await;
        let name = backup(&app, &admin).await;
        site.change().await;
        app.user("irene.", "Viewer").await;
        let (pierre, irene) = (app.sign_in("pierre").await, app.sign_in("irene.").await);
        let later = insert(&db, "jobs.purge", &json!({}), Some("irene.")).await;
        becomes(&app, &admin, later, "succeeded").await;
        assert_ne!(site.picture().await, before);

        let job_id = restore(&app, &admin, &name).await;
        let result = becomes(&other, &admin, job_id, "succeeded").await["result"].clone();
        assert_eq!(result["filename"], name);
        let saved = result["pre_restore"].as_str().expect("a name").to_owned();
        assert!(saved.starts_with("pre-restore_"), "{result}");
        assert_eq!(site.picture().await, before);
        site.is_cleared_up().await;
        // Jobs went on meanwhile; whose account is gone, theirs belong to nobody.
        assert_eq!(
            app.get(&admin, &format!("/api/jobs/{later}")).await.body["status"],
            "succeeded"
        );
        assert_eq!(app.get(&pierre, "/api/account").await.status.as_u16(), 200);
        app.get(&irene, "/api/account").await.is_problem(401, "");
        assert!(
            backup(&other, &admin).await.starts_with("manual_"),
            "writes are possible again"
        );

        // And back, to what was there before.
        let job_id = restore(&other, &admin, &saved).await;
        becomes(&app, &admin, job_id, "succeeded").await;
        let now = site.picture().await;
        assert!(
            now.iter().any(|line| line.starts_with("of_later|")),
            "{now:#?}"
        );
        assert!(
            now.iter().any(|line| line.starts_with("made_later")),
            "{now:#?}"
        );
        // Irene's account is back, and what ended with it is not.
        app.get(&irene, "/api/account").await.is_problem(401, "");
        app.sign_in("irene.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn while_a_backup_is_restored_nothing_can_be_changed_at_any_replica() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let other = site.replica("api-2").await;
        let admin = app.administrator().await;
        let name = backup(&app, &admin).await;
        // A job that is not done keeps the restore waiting, behind the fence.
        let busy = insert(&db, "other.kind", &json!({}), None).await;
        let mut conn = db.connect().await;
        conn.query_drop(format!(
            "UPDATE jobs SET status = 'running', lease_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE job_id = {busy}"
        ))
        .await
        .expect("changed");
        // Those of backups do not: they may be long, or wait for the restore themselves.
        for kind in ["backup.mirror", "backup.create"] {
            conn.exec_drop(
                "INSERT INTO jobs (kind, payload, status, lease_until) \
                 VALUES (?, '{}', 'running', UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)",
                (kind,),
            )
            .await
            .expect("inserted");
        }
        let job_id = restore(&app, &admin, &name).await;
        step(&app, &admin, job_id, "waiting for changes that are under way").await;
        for app in [&app, &other] {
            for path in ["/api/auth/login", "/api/admin/backups", "/api/account/tokens"] {
                let refused = app.post(&admin, path, json!({})).await;
                refused.is_problem(503, "a backup is being restored");
                assert_eq!(refused.header("retry-after"), "5");
            }
            app.delete(&admin, &format!("/api/admin/backups/{name}")).await.is_problem(503, "being restored");
            assert_eq!(app.get(&admin, "/api/entities").await.status.as_u16(), 200);
            assert_eq!(app.get(&As::Nobody, "/health/ready").await.status.as_u16(), 200);
        }
        eventually("the metrics", async || {
            let answer = app.request(reqwest::Method::GET, "/metrics").send().await;
            let text = answer.expect("answered").text().await.expect("text");
            let up = text.lines().find_map(|line| line.strip_prefix("sysndd_restore_fence_seconds "));
            up.is_some_and(|up| up != "0").then_some(())
        })
        .await;
        // Other jobs wait as well.
        let waits = insert(&db, "jobs.purge", &json!({}), None).await;
        conn.query_drop(format!("UPDATE jobs SET status = 'cancelled', lease_until = NULL WHERE job_id = {busy}"))
            .await
            .expect("changed");
        becomes(&app, &admin, job_id, "succeeded").await;
        becomes(&app, &admin, waits, "succeeded").await;
        let order: Vec<u64> = conn
            .query(format!("SELECT job_id FROM jobs WHERE job_id IN ({job_id}, {waits}) ORDER BY finished_at"))
            .await
            .expect("asked");
        assert_eq!(order, [job_id, waits]);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn what_is_not_meant_not_there_or_not_whole_is_not_restored() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let app = site.replica("api-1").await;
        let admin = app.administrator().await;
        let name = backup(&app, &admin).await;
        let path = format!("/api/admin/backups/{name}/restore");
        for body in [json!({}), json!({ "confirm": "restore" }), json!({ "confirm": true })] {
            let refused = app.post(&admin, &path, body).await;
            assert_eq!(refused.status.as_u16(), 422, "{refused:?}");
        }
        let meant = json!({ "confirm": "RESTORE" });
        for nothing in ["manual_2020-01-01_00-00-00.sql.zst", "passwd"] {
            let path = format!("/api/admin/backups/{nothing}/restore");
            app.post(&admin, &path, meant.clone()).await.is_problem(404, "");
        }
        app.user("pierre", "Curator").await;
        let pierre = app.sign_in("pierre").await;
        app.post(&pierre, &path, meant.clone()).await.is_problem(403, "");

        let before = site.picture().await;
        let file = site.dir.path().join(&name);
        let bytes = std::fs::read(&file).expect("readable");
        std::fs::write(&file, &bytes[..bytes.len() - 9]).expect("written");
        app.post(&admin, &path, meant.clone()).await.is_problem(409, "when it was made");
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&file, &changed).expect("written");
        let job_id = restore(&app, &admin, &name).await;
        let job = becomes(&app, &admin, job_id, "failed").await;
        assert_eq!(job["error"]["code"], "bad_backup", "{job}");

        // Of something else: it can be read, and is not this site's.
        let foreign = "manual_2020-01-01_00-00-00.sql.zst";
        put(&site, foreign, "-- Table structure for table `t`\nCREATE TABLE t (id INT);\n-- sysndd-backup definitions\n-- Dump completed\n");
        let job_id = restore(&app, &admin, foreign).await;
        let job = becomes(&app, &admin, job_id, "failed").await;
        assert!(job["error"]["message"].as_str().expect("text").contains("schema_version"), "{job}");
        // It would go into another schema, and does not.
        let astray = "manual_2020-01-02_00-00-00.sql.zst";
        let live = Opts::from_url(&site.url).expect("an address").db_name().expect("a name").to_owned();
        put(&site, astray, &format!("USE {live};\n-- Table structure for table `users`\nDROP TABLE user_tokens;\n-- sysndd-backup definitions\n-- Dump completed\n"));
        let job_id = restore(&app, &admin, astray).await;
        becomes(&app, &admin, job_id, "failed").await;
        // It cannot be loaded: the server says why.
        let wrong = "manual_2020-01-03_00-00-00.sql.zst";
        put(&site, wrong, "-- Table structure for table `t`\nCREATE TABEL t (id INT);\n-- sysndd-backup definitions\n-- Dump completed\n");
        let job_id = restore(&app, &admin, wrong).await;
        let job = becomes(&app, &admin, job_id, "failed").await;
        assert!(job["error"]["message"].as_str().expect("text").contains("TABEL"), "{job}");
        assert_eq!(site.picture().await, before);
        site.is_cleared_up().await;

        let unable = TestApp::with(&db, "api-2", &[("SYSNDD_BACKUP_DIR", site.dir.path().to_str().expect("text"))]).await;
        let path = format!("/api/admin/backups/{foreign}/restore");
        unable.post(&admin, &path, meant).await.is_problem(503, "SYSNDD_RESTORE_DATABASE_URL");
    })
    .await;
}

fn put(site: &Site, name: &str, dump: &str) {
    let bytes = zstd::encode_all(dump.as_bytes(), 1).expect("compressed");
    std::fs::write(site.dir.path().join(name), bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn an_older_backup_is_brought_up_to_date_and_the_command_line_does_it_without_a_replica() {
    with_database(async |db| {
        let site = Site::new(&db).await;
        let older = older_migrations();
        let run =
            async |migrations: &Path, arguments: &[&str]| site.command(migrations, arguments).await;
        let shipped = shipped_migrations();
        let (code, _, stderr) = run(older.path(), &["migrate", "up"]).await;
        assert_eq!(code, 0, "{stderr}");
        let (code, stdout, stderr) =
            run(older.path(), &["backup", "create", "--kind", "pre-deploy"]).await;
        assert_eq!(code, 0, "{stderr}");
        let made: Value = serde_json::from_str(stdout.last().expect("a line")).expect("JSON");
        let name = made["filename"].as_str().expect("a name");
        assert_eq!(made["kind"], "pre-deploy");
        let (code, _, stderr) = run(&shipped, &["migrate", "up"]).await;
        assert_eq!(code, 0, "{stderr}");
        let before = timeless(site.picture().await);

        let (code, stdout, stderr) = run(&shipped, &["backup", "verify"]).await;
        assert_eq!((code, stdout.len()), (0, 1), "{stderr}");
        assert!(
            stdout[0].starts_with(&format!("{name} is whole")),
            "{stdout:?}"
        );
        let (code, stdout, _) = run(&shipped, &["backup", "list", "--format", "json"]).await;
        let list: Value = serde_json::from_str(&stdout.concat()).expect("JSON");
        assert_eq!((code, &list["backups"]), (0, &json!([made])));
        let (code, _, stderr) =
            run(&shipped, &["backup", "restore", name, "--confirm", "yes"]).await;
        assert_eq!(code, 1, "{stderr}");
        let (code, stdout, stderr) = run(
            &shipped,
            &["backup", "restore", name, "--confirm", "RESTORE"],
        )
        .await;
        assert_eq!(code, 0, "{stderr}");
        let restored: Value = serde_json::from_str(stdout.last().expect("a line")).expect("JSON");
        assert_ne!(
            restored["migration_head"], made["migration_head"],
            "{restored}"
        );
        assert_eq!(timeless(site.picture().await), before);
        site.is_cleared_up().await;

        // It is needed most when nothing is left.
        let mut conn = db.connect().await;
        let live = Opts::from_url(&site.url).expect("an address");
        let live = live.db_name().expect("a name");
        for statement in ["DROP DATABASE", "CREATE DATABASE"] {
            conn.query_drop(format!("{statement} {live}"))
                .await
                .expect("done");
        }
        conn.disconnect().await.expect("closed");
        let (code, _, stderr) = run(
            &shipped,
            &["backup", "restore", name, "--confirm", "RESTORE"],
        )
        .await;
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(timeless(site.picture().await), before);
        site.is_cleared_up().await;

        std::fs::write(site.dir.path().join(name), "no backup").expect("written");
        let (code, _, stderr) = run(&shipped, &["backup", "verify", name]).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("when it was made"), "{stderr}");
        assert!(
            !stderr.contains("it's") && !stderr.contains("it%27s"),
            "{stderr}"
        );
    })
    .await;
}

/// Without what migrations write with the time at which they do.
fn timeless(mut picture: Vec<String>) -> Vec<String> {
    picture.retain(|line| !line.starts_with("entities: "));
    picture
}

/// All that are shipped but the last two.
fn older_migrations() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let mut files: Vec<_> = std::fs::read_dir(shipped_migrations())
        .expect("readable")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files.truncate(files.len() - 2);
    for file in files {
        std::fs::copy(&file, dir.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    dir
}
