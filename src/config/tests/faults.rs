//! What is said about files that are wrong. A snapshot holds a theme: each file, then the whole
//! of what is said about it.

use std::fmt::Write as _;

use super::*;

/// What is said about each of these files.
fn said(cases: &[&str]) -> String {
    let mut out = String::new();
    for case in cases {
        let case = case.trim_start();
        writeln!(out, "{case}\n--- is refused:\n{}\n", faults(case)).unwrap();
        out += "================\n";
    }
    out
}

/// The text with a service that is right below it.
macro_rules! with_service {
    ($text:literal) => {
        concat!($text, "\n[services.web]\nimage = \"web\"\n")
    };
}

/// A service that is right but for these keys.
macro_rules! service {
    ($keys:literal) => {
        concat!("project = \"p\"\n[services.web]\n", $keys, "\n")
    };
}

#[test]
fn what_is_no_toml() {
    let said = said(&[
        "project = \"p\n",
        "project = \n[services\n",
        "project = \"p\"\nproject = \"q\"\n",
        "\u{1f980} = 1\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn keys() {
    let said = said(&[
        "",
        with_service!("projekt = \"p\""),
        service!("image = \"web\"\nenviroment = { A = \"1\" }\ncontainer_name = \"web\""),
        service!("build = { contxt = \".\", args = { A = 1 } }"),
        service!("image = \"web\"\nhealthcheck = { http = { prot = 80, path = \"/\" } }"),
        with_service!("project = \"p\"\n[volumes.data]\ndriver = \"local\""),
        with_service!("project = \"p\"\n[edge]\nservice = \"web\""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn types() {
    let said = said(&[
        with_service!("project = 5"),
        "project = \"p\"\nservices = [\"web\"]\n",
        "project = \"p\"\n[services]\nweb = \"nginx\"\n",
        service!("image = \"web\"\nreplicas = \"4\""),
        service!("image = \"web\"\nreplicas = 0"),
        service!("image = \"web\"\nreplicas = 100"),
        service!("image = \"web\"\nreplicas = -1"),
        service!("image = \"web\"\ncommand = \"serve --fast\""),
        service!("image = \"web\"\nread_only = \"yes\""),
        service!("image = \"web\"\nread_only = \"${SWITCH:-on}\""),
        service!("image = \"web\"\nenvironment = [\"A=1\"]"),
        service!("image = \"web\"\nenvironment = { A = [1], B = 1979-05-27 }"),
        service!("image = \"web\"\nresources = { cpus = 0, pids = 0.5 }"),
        service!("image = \"web\"\nrestart = \"on-fail\""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn references_to_variables() {
    let said = said(&[
        service!("image = \"web:${TAG}\""),
        service!(
            "image = \"${A}\"\nenvironment = { A = \"${A:?set A to anything}\", B = \"${A}\" }"
        ),
        service!("image = \"web:${TAG\""),
        service!("image = \"web:$TAG\""),
        service!("image = \"web:$5\""),
        service!("image = \"web:${TAG:+x}\""),
        service!("image = \"web:${5TAG}\""),
        service!("image = \"web:${}\""),
        service!("image = \"w\\u0065b:${TAG:-${}}\""),
        service!("image = \"web:${deploy.release}\""),
        service!(
            "image = \"web\"\nlabels = { a = \"${deploy.replicas}\", b = \"${deploy.release:-x}\" }"
        ),
        service!("image = \"web\"\nports = [\"${PORT:-8O80}:80\"]"),
        service!("image = \"web\"\ncommand = [\"--password=${DB_PASSWORD}\"]"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn values() {
    let said = said(&[
        service!("image = \"web\"\nstop_grace_period = \"30\""),
        service!("image = \"web\"\nstop_grace_period = \"1.5s\""),
        service!("image = \"web\"\nresources = { memory = \"256 megs\" }"),
        service!("image = \"web\"\nresources = { memory = \"99999999999g\" }"),
        service!(
            "image = \"web\"\nports = [\"80:80:80:80\", \"70000:80\", \"80:0\", \"80:80/sctp\", \"8000-8010:80\", \"x:80\"]"
        ),
        service!(
            "image = \"web\"\nvolumes = [\"/data\", \"a/b:/data\", \"./a:data\", \"./a:/a:rx\", \":/a\", \"./a:/../etc\"]"
        ),
        service!("image = \"web\"\nvolumes = [\"~/a:/a\"]"),
        service!("image = \"web\"\nuser = \"1000:1000:1000\""),
        service!("image = \"web\"\nuser = \"-1\""),
        service!("image = \"web\"\nuser = \"99999999999\""),
        service!("build = { uid = \"me\", gid = -1 }"),
        service!("build = { gid = \"host\" }"),
        service!("image = \"web\"\nstop_signal = \"QUIT\""),
        service!("image = \"web\"\ncap_drop = [\"all\"]\ntmpfs = [\"tmp\"]"),
        service!("image = \"web\"\nlabels = { \"dev.sysndd.project\" = \"x\", \"a b\" = \"x\" }"),
        service!("image = \"web\"\nenvironment = { \"5A\" = \"x\", \"A=B\" = \"y\" }"),
        service!("image = \"web\"\nevents = { \"startup.ready\" = '(ready', started = \"x\" }"),
        service!("image = \"web\"\nhealthcheck = { http = { port = 0, path = \"ready\" } }"),
        service!(
            "image = \"web\"\nhealthcheck = { tcp = { port = 1 }, http = { port = 1, path = \"/\" } }"
        ),
        service!(
            "image = \"web\"\nhealthcheck = { test = [\"curl\", \"localhost\"], interval = \"1s\" }"
        ),
        service!("image = \"web\"\nhealthcheck = { interval = \"1s\" }"),
        service!("image = \"web\"\nenvironment = { TOKEN = \"***\" }"),
        with_service!("project = \"p\"\n[volumes.data]\nowner = \"root\""),
        with_service!("project = \"p\"\n[secrets]\nA = { length = 4 }\nB = {}"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn names() {
    let said = said(&[
        with_service!("project = \"My Project\""),
        "project = \"p\"\n[services.Web_1]\nimage = \"web\"\n[services.\"a.b\"]\nimage = \"web\"\n",
        with_service!("project = \"p\"\n[volumes.-data]"),
        "project = \"a-project-with-a-long-name\"\n[services.a-long-service]\nimage = \"web\"\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn images() {
    let said = said(&[
        service!("replicas = 2"),
        service!("image = \"web\"\nbuild = { context = \".\" }"),
        service!(
            "image = \"web\"\nbase = \"os\"\nbuild = {}\n[bases.images.os]\nregistry = \"os\""
        ),
        with_service!("project = \"p\"\n[bases.images.os]"),
        with_service!(
            "project = \"p\"\n[bases]\nsource = \"distro\"\n[bases.images.os]\nregistry = \"os\""
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn references_to_other_entries() {
    let said = said(&[
        service!("base = \"mysq\"\n[bases.images.mysql]\nregistry = \"mysql\""),
        service!("build = { bases = [\"rust\"] }"),
        service!(
            "image = \"web\"\ndepends_on = [\"db\", \"web1\"]\n[services.web2]\nimage = \"web\""
        ),
        service!(
            "image = \"web\"\nvolumes = [\"dta:/data\", { source = \"x\", target = \"/x\" }]\n[volumes.data]"
        ),
        with_service!("project = \"p\"\n[verify.data]\nservice = \"api\"\npath = \"/data\""),
        with_service!(
            "project = \"p\"\n[migrations]\nservice = \"api\"\ndir = \"migrations\"\ndatabase = \"mysql://u:p@localhost:3306/d\""
        ),
        with_service!(
            "project = \"p\"\n[migrations]\nservice = \"web\"\ndir = \"migrations\"\ndatabase = \"postgres://web/d\"\ngaps = \"some\""
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn what_only_the_whole_can_tell() {
    let said = said(&[
        service!("image = \"web\"\ndepends_on = [\"web\"]"),
        "project = \"p\"\n\
         [services.a]\nimage = \"a\"\ndepends_on = [\"b\"]\n\
         [services.b]\nimage = \"b\"\ndepends_on = [\"c\"]\n\
         [services.c]\nimage = \"c\"\ndepends_on = [\"d\", \"a\"]\n\
         [services.d]\nimage = \"d\"\n",
        "project = \"p\"\n\
         [services.a]\nimage = \"a\"\nports = [\"127.0.0.1:80:1\", \"81:1\", \"81:1/udp\"]\n\
         [services.b]\nimage = \"b\"\nports = [\"bad\", \"127.0.0.2:80:1\", \"0.0.0.0:81:1\"]\n",
        service!("image = \"web\"\nreplicas = 2\nports = [\"80\", \"8080:80\"]"),
        "project = \"p\"\n[services.a]\nimage = \"a\"\n[volumes.state]\n",
        service!("image = \"web\"\nvolumes = [\"./a:/data\", \"./b:/data/\"]"),
        "project = \"p\"\n[volumes.data]\n\
         [services.a]\nbuild = { uid = 1000 }\nvolumes = [\"data:/d\"]\n\
         [services.b]\nimage = \"b\"\nuser = \"999:999\"\nvolumes = [\"data:/d\"]\n",
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn the_edge() {
    let edge = |service: &str, upstream: &str, signal: &str, file: &str| {
        format!(
            "project = \"p\"\n[volumes.list]\n[services.web]\nimage = \"web\"\n[edge]\n\
             service = \"{service}\"\nupstream = \"{upstream}\"\nport = 80\ntemplate = \"list.tera\"\n\
             volume = \"list\"\nfile = \"{file}\"\ntest = [\"t\"]\nreload_signal = \"{signal}\"\n\
             generation = {{ port = 81, path = \"/\" }}\n"
        )
    };
    let said = said(&[
        &edge("web", "web", "SIGHUB", "a/list"),
        &edge("proxy", "api", "SIGHUP", "list"),
        &format!(
            "{}[services.api]\nimage = \"api\"\n",
            edge("web", "api", "SIGHUP", "list")
        ),
        &format!(
            "{}[services.api]\nimage = \"api\"\n",
            edge("web", "api\"\nentrance = \"api", "SIGHUP", "list")
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn files_that_are_not_there() {
    let said = said(&[
        service!("build = { context = \"missing\" }"),
        service!("build = { dockerfile = \"missing.Dockerfile\" }"),
        service!("build = { context = \"Dockerfile\" }"),
        with_service!("project = \"p\"\n[bases.images.os]\nrecipe = \"images/missing\""),
        with_service!("project = \"p\"\n[bases.images.os]\nrecipe = \"images/wrong\""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn every_fault_of_a_file_is_reported_in_one_run() {
    let errors = faults(
        r#"
project = "Sys NDD"
colour = "blue"

[bases]
source = "internet"

[volumes.data]

[services.db]
base = "mysql"
volumes = ["dat:/var/lib/mysql"]
environment = { PASSWORD = "${PASSWORD:?write it into .env}" }
stop_grace_period = "60"

[services.api]
replica = 4
replicas = 4
build = { dockerfile = "missing.Dockerfile", uid = "root" }
ports = ["8080:8080"]
volumes = ["data:/data"]
depends_on = ["web", "bd"]
environment = { URL = "mysql://u:${PASSWORD}@db/x", BROKEN = "${" }

[services.web]
depends_on = ["api"]
ports = ["8080:80", "http:80"]
events = { "startup.ready" = "[" }
user = "a b"

[verify]
startup_budget = 30
"#,
    );
    assert_eq!(errors.faults().len(), 20, "{errors}");
    insta::assert_snapshot!("combined_text", errors);
    insta::assert_json_snapshot!("combined_json", errors);
}

#[test]
fn faults_are_in_the_order_of_the_file() {
    let errors = faults("zzz = 1\nproject = \"P\"\naaa = 1\n[services.web]\n");
    let lines: Vec<_> = errors.faults().iter().filter_map(Fault::position).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn the_underline_stands_below_what_is_wrong_whatever_is_before_it() {
    let errors =
        faults("project = \"p\"\nservices.web = {\timage = '漢字é', stop_signal = 'x' }\n");
    insta::assert_snapshot!(errors);
}

#[test]
fn jobs_and_who_is_told() {
    let said = said(&[
        with_service!("project = \"p\"\n[jobs.save]\ncommand = [\"true\"]"),
        with_service!("project = \"p\"\n[jobs.save]\nservice = \"wbe\"\nreplicas = 2"),
        with_service!(
            "project = \"p\"\n[jobs.save]\nservice = \"web\"\n[hooks]\npre_deploy = [\"save\", \"sav\", \"save\"]"
        ),
        with_service!("project = \"p\"\n[deploy]\npre_deploy_backup = \"save\""),
        service!(
            "image = \"web\"\nvolumes = [\"./a:/data\"]\n[jobs.save]\nservice = \"web\"\nvolumes = [\"./b:/data/\"]"
        ),
        with_service!("project = \"p\"\n[notify]\nwebhook = \"example.org\""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn the_address_of_a_webhook_is_never_taken_from_what_would_be_shown() {
    let text = with_service!("project = \"p\"\n[notify]\nwebhook = \"${DEPLOY_URL}\"");
    let shown = environment([("DEPLOY_URL", "https://example.org/hunter2")]);
    let errors = read_in(text, &shown).expect_err("its value would be recorded");
    let said = errors.to_string();
    assert!(
        said.contains("the value of `DEPLOY_URL` would be shown"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_verify_cannot_do() {
    let said = said(&[
        with_service!("project = \"p\"\n[verify.database]\nwithin = \"6s\""),
        with_service!(
            "project = \"p\"\n[verify.security]\ncanary = { path = \"/login\", body = \"x\" }"
        ),
        with_service!(
            "project = \"p\"\n[verify.mail]\nservice = \"web\"\ncommand = [\"send\"]\ncatcher = \"web\"\nport = 80\npaths = [\"/\"]"
        ),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn pools_that_cannot_be_shared() {
    let said = said(&[
        service!("image = \"web\"\nenvironment = { POOL = \"${deploy.pool}\" }"),
        concat!(
            "project = \"p\"\n[deploy.pool]\nconnections = 20\nreserve = 10\nbeside = 2\n",
            "[services.web]\nimage = \"web\"\nreplicas = 2\nenvironment = { POOL = \"${deploy.pool}\" }\n"
        ),
        with_service!("project = \"p\"\n[deploy.pool]\nreserve = 10"),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn backups_that_nobody_can_make() {
    let said = said(&[
        with_service!(
            "project = \"p\"\n[backups]\nservice = \"api\"\ncommand = [\"keep\"]\ndir = \"/data\""
        ),
        with_service!(
            "project = \"p\"\n[backups]\nservice = \"web\"\ncommand = []\ndir = \"data\"\nmax_age = \"soon\""
        ),
        with_service!(
            "project = \"p\"\n[backups]\nservice = \"web\"\ncommand = [\"keep\"]\ndir = \"/data\""
        ),
        concat!(
            "project = \"p\"\n[backups]\nservice = \"api\"\ncommand = [\"keep\"]\ndir = \"/data\"\n",
            "[services.web]\nimage = \"web\"\n[services.api]\nimage = \"api\"\nprofiles = [\"more\"]\nvolumes = [\"data:/data\"]\n[volumes.data]\n"
        ),
    ]);
    insta::assert_snapshot!(said);
}
