use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use mysql_async::prelude::Queryable as _;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::{As, TestApp};
use crate::jobs::becomes;
use crate::support::{Database, eventually, with_database};

/// Where the programs of the database's own version are, which the API's image has from there.
pub(crate) fn client_dir() -> String {
    std::env::var("SYSNDD_TEST_MYSQL_CLIENT_DIR").unwrap_or_else(|_| {
        panic!(
            "SYSNDD_TEST_MYSQL_CLIENT_DIR is not set: give a directory with the database's own mysql and \
             mysqldump; `cargo xtask test database` takes them from its image by images/mysql-client/collect.sh"
        )
    })
}

/// A replica that can make backups, and where they are.
struct Site {
    app: TestApp,
    admin: As,
    dir: tempfile::TempDir,
}

impl Site {
    async fn start(db: &Database) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let app = replica(db, "api-1", dir.path()).await;
        let admin = app.administrator().await;
        Self { app, admin, dir }
    }

    /// Makes a backup; answers it.
    async fn backup(&self) -> Value {
        let begun = self
            .app
            .post(&self.admin, "/api/admin/backups", json!({}))
            .await;
        assert_eq!(begun.status.as_u16(), 202, "{begun:?}");
        let job_id = begun.body["job_id"].as_u64().expect("a number");
        assert_eq!(begun.header("location"), format!("/api/jobs/{job_id}"));
        becomes(&self.app, &self.admin, job_id, "succeeded").await["result"].clone()
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let page = self
            .app
            .get(&self.admin, &format!("/api/admin/backups?{query}"))
            .await;
        let backups = page.body["backups"].as_array().expect("a list").iter();
        backups
            .map(|backup| backup["filename"].as_str().expect("a name").to_owned())
            .collect()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path())
            .expect("readable")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }
}

async fn replica(db: &Database, name: &str, backups: &Path) -> TestApp {
    let dir = backups.to_str().expect("text");
    let variables = [
        ("SYSNDD_BACKUP_DIR", dir),
        ("SYSNDD_MYSQL_CLIENT_DIR", &client_dir()),
    ];
    TestApp::with(db, name, &variables).await
}

/// Puts a file there by hand, complete since an hour: what may still be on its way is not read.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("written");
    let file = std::fs::File::options().write(true).open(path);
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    file.expect("there")
        .set_modified(hour_ago)
        .expect("changed");
}

/// What the program gives back that is told to.
fn dump_text(backup: &Path) -> String {
    let file = std::fs::File::open(backup).expect("a file");
    let bytes = zstd::stream::decode_all(file).expect("whole");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_backup_is_made_listed_downloaded_in_parts_and_deleted() {
    with_database(async |db| {
        let site = Site::start(&db).await;
        let (app, admin) = (&site.app, &site.admin);
        let made = site.backup().await;
        let name = made["filename"].as_str().expect("a name").to_owned();
        assert!(name.starts_with("manual_") && name.ends_with(".sql.zst"), "{made}");
        let list = app.get(admin, "/api/admin/backups").await;
        assert_eq!(list.body["backups"], json!([made]));
        assert_eq!(list.body["total"], 1);
        assert_eq!(made["kind"], "manual");
        assert_eq!(made["release"], "r-test");
        let mut conn = db.connect().await;
        let tables: u64 = conn
            .query_first("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'")
            .await
            .expect("counted")
            .expect("a row");
        let head: String = conn
            .query_first("SELECT filename FROM schema_version ORDER BY version DESC LIMIT 1")
            .await
            .expect("read")
            .expect("a row");
        conn.disconnect().await.expect("closed");
        assert_eq!(made["table_count"], tables, "{made}");
        assert_eq!(made["migration_head"], head, "{made}");

        let path = format!("/api/admin/backups/{name}");
        let download = async |range: Option<&str>| {
            let mut request = admin.sign(app.request(Method::GET, &path));
            if let Some(range) = range {
                request = request.header("range", range);
            }
            request.send().await.expect("answered")
        };
        let whole = download(None).await;
        assert_eq!(whole.status().as_u16(), 200);
        assert_eq!(whole.headers()["content-type"], "application/zstd");
        assert_eq!(
            whole.headers()["content-disposition"],
            format!("attachment; filename=\"{name}\"")
        );
        assert_eq!(whole.headers()["cache-control"], "no-store");
        let whole = whole.bytes().await.expect("a body");
        assert_eq!(made["size_bytes"], whole.len() as u64);
        let checksum = format!("{:x}", Sha256::digest(&whole));
        assert_eq!(made["checksum"], checksum);
        let part = download(Some("bytes=10-19")).await;
        assert_eq!(part.status().as_u16(), 206);
        assert_eq!(part.bytes().await.expect("a body"), whole[10..20]);
        assert_eq!(download(Some("bytes=999999999-")).await.status().as_u16(), 416);

        // Passwords are hashes, but not for everybody on the machine.
        let file = std::fs::metadata(site.dir.path().join(&name)).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);

        let deleted = app.delete(admin, &path).await;
        assert_eq!(deleted.status.as_u16(), 204, "{deleted:?}");
        assert!(site.files().is_empty(), "{:?}", site.files());
        app.get(admin, &path).await.is_problem(404, "no backup");
        app.delete(admin, &path).await.is_problem(404, "no backup");
        app.get(admin, "/api/admin/backups/..%2Fusers").await.is_problem(404, "no name");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn the_list_is_cut_and_sorted_by_the_server_and_knows_what_was_put_there_by_hand() {
    with_database(async |db| {
        let site = Site::start(&db).await;
        let made = site.backup().await;
        let made = made["filename"].as_str().expect("a name");
        let bytes = std::fs::read(site.dir.path().join(made)).expect("there");
        let copy = "scheduled_2020-01-01_00-00-00.sql.zst";
        put(&site.dir.path().join(copy), &bytes);
        let cut = "pre-deploy_2020-01-02_00-00-00.sql.zst";
        put(&site.dir.path().join(cut), &bytes[..bytes.len() / 2]);
        std::fs::write(site.dir.path().join("notes.txt"), "left alone").expect("written");

        assert_eq!(site.names("").await, [made, cut, copy]);
        assert_eq!(site.names("sort=created_at").await, [copy, cut, made]);
        assert_eq!(site.names("sort=size_bytes&page_size=1").await, [cut]);
        assert_eq!(site.names("sort=kind&page=2&page_size=2").await, [copy]);
        assert_eq!(site.names("page=7").await, [""; 0]);
        for (query, status) in [
            ("page=0", 422),
            ("page_size=201", 422),
            ("sort=colour", 400),
            ("pages=1", 400),
        ] {
            site.app
                .get(&site.admin, &format!("/api/admin/backups?{query}"))
                .await
                .is_problem(status, "");
        }

        let known = eventually("what was put there is known", async || {
            let list = site
                .app
                .get(&site.admin, "/api/admin/backups?sort=created_at")
                .await
                .body;
            Some(list["backups"].clone())
                .filter(|list| list[0]["checksum"].is_string() && list[1]["checksum"].is_string())
        })
        .await;
        assert_eq!(known[0]["table_count"], known[2]["table_count"]);
        assert_eq!(known[0]["checksum"], known[2]["checksum"]);
        assert_eq!(known[0]["migration_head"], known[2]["migration_head"]);
        assert!(known[0]["fault"].is_null(), "{known}");
        assert!(
            known[1]["fault"]
                .as_str()
                .expect("a fault")
                .contains("decompressed"),
            "{known}"
        );
        // Read before all of it was there.
        put(&site.dir.path().join(cut), &bytes);
        eventually("what came later is known", async || {
            let list = site.app.get(&site.admin, "/api/admin/backups").await.body;
            let late = &list["backups"][1];
            (late["filename"] == cut && late["checksum"].is_string() && late["fault"].is_null())
                .then_some(())
        })
        .await;
        // Cut off later than it was looked at.
        std::fs::write(site.dir.path().join(made), &bytes[1..]).expect("written");
        let list = site.app.get(&site.admin, "/api/admin/backups").await.body;
        assert!(
            list["backups"][0]["fault"]
                .as_str()
                .expect("a fault")
                .contains("when it was made"),
            "{list}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_backup_holds_everything_and_can_be_loaded_by_hand() {
    with_database(async |db| {
        let site = Site::start(&db).await;
        let mut conn = db.connect().await;
        for statement in include_str!("everything.sql").split("\n//\n") {
            conn.query_drop(statement).await.expect(statement);
        }
        let before = picture(&mut conn).await;
        let made = site.backup().await;
        let path = site
            .dir
            .path()
            .join(made["filename"].as_str().expect("a name"));

        // By hand, into the same database when it is empty again.
        let name: String = conn
            .query_first("SELECT DATABASE()")
            .await
            .expect("asked")
            .expect("a name");
        site.app.stop();
        conn.query_drop(format!("DROP DATABASE {name}"))
            .await
            .expect("dropped");
        conn.query_drop(format!("CREATE DATABASE {name}"))
            .await
            .expect("made");
        load(&db, &dump_text(&path));
        conn.query_drop(format!("USE {name}")).await.expect("used");
        assert_eq!(picture(&mut conn).await, before);
        // The trigger works, and so does what the view and the function say.
        conn.query_drop("INSERT INTO everything (id, t_varchar) VALUES (100, 'x')")
            .await
            .expect("inserted");
        let seen: Option<(String, i64)> = conn
            .query_first("SELECT noted, shout_length('x') FROM everything_view WHERE id = 100")
            .await
            .expect("asked");
        assert_eq!(seen, Some(("noted by the trigger".into(), 2)));
        conn.disconnect().await.expect("closed");
    })
    .await;
}

fn load(db: &Database, dump: &str) {
    use std::io::Write as _;
    let opts = mysql_async::Opts::from_url(&db.url()).expect("an address");
    let mut child = Command::new(format!("{}/mysql", client_dir()))
        .arg(format!("--host={}", opts.ip_or_hostname()))
        .arg(format!("--port={}", opts.tcp_port()))
        .args([
            "--user=root",
            "--default-character-set=utf8mb4",
            opts.db_name().expect("a name"),
        ])
        .env("MYSQL_PWD", opts.pass().unwrap_or_default())
        .stdin(Stdio::piped())
        .spawn()
        .expect("started");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(dump.as_bytes())
        .expect("written");
    assert!(child.wait().expect("ended").success());
}

/// All that can be told apart: definitions, and what the tables hold.
pub(crate) async fn picture(conn: &mut mysql_async::Conn) -> Vec<String> {
    let mut picture = Vec::new();
    for query in [
        "SELECT CONCAT_WS('|', table_name, column_name, column_type, generation_expression, collation_name, extra) \
         FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position",
        "SELECT CONCAT_WS('|', trigger_name, event_object_table, action_timing, event_manipulation, action_statement, definer, sql_mode) \
         FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY trigger_name",
        "SELECT CONCAT_WS('|', routine_name, routine_type, routine_definition, security_type, definer) \
         FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY routine_name",
        "SELECT CONCAT_WS('|', event_name, event_definition, interval_value, interval_field, status) \
         FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY event_name",
        "SELECT CONCAT_WS('|', table_name, view_definition, security_type) \
         FROM information_schema.views WHERE table_schema = DATABASE() ORDER BY table_name",
        "SELECT CONCAT_WS('|', constraint_name, table_name, referenced_table_name, update_rule, delete_rule) \
         FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE() ORDER BY constraint_name",
    ] {
        let rows: Vec<Option<String>> = conn.query(query).await.expect(query);
        picture.extend(rows.into_iter().map(Option::unwrap_or_default));
    }
    for table in [
        "everything",
        "nothing",
        "child",
        "entities",
        "users",
        "genes",
    ] {
        let sum: Option<(String, Option<u64>)> = conn
            .query_first(format!("CHECKSUM TABLE {table} EXTENDED"))
            .await
            .ok()
            .flatten();
        picture.push(format!("{table}: {sum:?}"));
    }
    picture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_full_disk_fails_the_job_lists_nothing_and_is_free_again() {
    with_database(async |db| {
        let disk = SmallDisk::mount();
        let variables = [
            ("SYSNDD_BACKUP_DIR", disk.path().to_str().expect("text")),
            ("SYSNDD_MYSQL_CLIENT_DIR", &client_dir()),
            ("SYSNDD_RESTORE_DATABASE_URL", &db.url()),
        ];
        let app = TestApp::with(&db, "api-1", &variables).await;
        let admin = app.administrator().await;
        let mut conn = db.connect().await;
        conn.query_drop("CREATE TABLE big (noise LONGBLOB)")
            .await
            .expect("made");
        for _ in 0..4 {
            conn.query_drop("INSERT INTO big VALUES (RANDOM_BYTES(1024)), (RANDOM_BYTES(1024))")
                .await
                .expect("filled");
        }
        for _ in 0..9 {
            conn.query_drop(
                "INSERT INTO big SELECT CONCAT(RANDOM_BYTES(1024), RANDOM_BYTES(1024)) FROM big",
            )
            .await
            .expect("filled");
        }
        let free = disk.free();
        let begun = app.post(&admin, "/api/admin/backups", json!({})).await;
        let job = becomes(
            &app,
            &admin,
            begun.body["job_id"].as_u64().expect("a number"),
            "failed",
        )
        .await;
        assert_eq!(job["error"]["code"], "disk_full", "{job}");
        assert!(
            job["error"]["message"]
                .as_str()
                .expect("text")
                .contains("no room is left"),
            "{job}"
        );
        let list = app.get(&admin, "/api/admin/backups").await;
        assert_eq!(list.body["total"], 0, "{list:?}");
        assert_eq!(std::fs::read_dir(disk.path()).expect("readable").count(), 0);
        eventually("the room is free again", async || {
            (disk.free() >= free).then_some(())
        })
        .await;

        conn.query_drop("DROP TABLE big").await.expect("dropped");
        conn.disconnect().await.expect("closed");
        let begun = app.post(&admin, "/api/admin/backups", json!({})).await;
        becomes(
            &app,
            &admin,
            begun.body["job_id"].as_u64().expect("a number"),
            "succeeded",
        )
        .await;

        // A restore died and left the disk full: what it was writing goes before anything is noted.
        let (state, fence) = (disk.path().join("state"), disk.path().join(".restore.json"));
        let name = "manual_2020-01-01_00-00-00.sql.zst";
        let preparing =
            json!({ "id": "job-1", "filename": name, "step": "preparing", "restored": null });
        std::fs::write(&state, preparing.to_string()).expect("written");
        disk.fill(&format!(".partial-0000000000000000-{name}"));
        std::fs::rename(&state, &fence).expect("renamed");
        eventually("the fence is down", async || {
            (!fence.exists()).then_some(())
        })
        .await;
        let outcome = std::fs::read_to_string(disk.path().join(".restore-outcome.json"));
        assert!(outcome.expect("noted").contains("taken_back"));
    })
    .await;
}

/// A file system of two megabytes.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(dir.path())
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test mounts a tmpfs: run it as root"
        );
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Until there is no room for one byte.
    fn fill(&self, name: &str) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.path().join(name)).expect("a file");
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn free(&self) -> u64 {
        rustix::fs::statvfs(self.path()).expect("mounted").f_bfree
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn only_administrators_have_to_do_with_backups() {
    with_database(async |db| {
        let site = Site::start(&db).await;
        let app = &site.app;
        let name = site.backup().await["filename"]
            .as_str()
            .expect("a name")
            .to_owned();
        app.user("pierre", "Curator").await;
        let pierre = app.sign_in("pierre").await;
        let one = format!("/api/admin/backups/{name}");
        for (who, status) in [(&As::Nobody, 401), (&pierre, 403)] {
            app.get(who, "/api/admin/backups")
                .await
                .is_problem(status, "");
            app.post(who, "/api/admin/backups", json!({}))
                .await
                .is_problem(status, "");
            app.get(who, &one).await.is_problem(status, "");
            app.delete(who, &one).await.is_problem(status, "");
        }
        assert_eq!(site.names("").await, [name]);
        assert!(
            !app.log().contains("for-tests-only"),
            "the password is in the log"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_client_that_is_missing_is_named() {
    with_database(async |db| {
        let app = TestApp::with(
            &db,
            "api-1",
            &[("SYSNDD_MYSQL_CLIENT_DIR", "/does/not/exist")],
        )
        .await;
        let admin = app.administrator().await;
        let begun = app.post(&admin, "/api/admin/backups", json!({})).await;
        let job = becomes(
            &app,
            &admin,
            begun.body["job_id"].as_u64().expect("a number"),
            "failed",
        )
        .await;
        assert_eq!(job["error"]["code"], "no_client", "{job}");
        assert!(
            job["error"]["message"]
                .as_str()
                .expect("text")
                .contains("SYSNDD_MYSQL_CLIENT_DIR"),
            "{job}"
        );
        assert_eq!(app.get(&admin, "/api/admin/backups").await.body["total"], 0);
    })
    .await;
}
