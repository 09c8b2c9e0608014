use std::collections::BTreeSet;
use std::time::Duration;

use sysndd_migrator::Mode;

use super::{Config, Faults, Source};

const SECRET: &str = "hunter2-canary";

fn read(variables: &[(&str, &str)]) -> Result<Config, Faults> {
    let key = [("SYSNDD_SECRET_KEY", "0123456789-abcdefghijklmnopqrs-canary")];
    Config::read(Source::new(
        key.iter()
            .chain(variables)
            .map(|&(name, value)| (name.to_owned(), value.to_owned())),
    ))
}

fn database_url() -> String {
    format!("mysql://sysndd:{SECRET}@db:3306/sysndd")
}

#[test]
fn a_database_is_all_it_needs() {
    let config = read(&[
        ("SYSNDD_DATABASE_URL", &database_url()),
        ("HOSTNAME", "demo-api-1"),
    ])
    .expect("complete");
    assert_eq!(config.server.bind.to_string(), "0.0.0.0:8080");
    assert_eq!(config.data_dir.to_str(), Some("/app/data"));
    assert_eq!(config.migrations.dir.to_str(), Some("/app/migrations"));
    assert_eq!(config.migrations.mode, Mode::Auto);
    assert_eq!(config.identity.replica.as_str(), "demo-api-1");
    assert_eq!(config.identity.release, None);
    assert_eq!(config.unknown, [""; 0]);
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults = read(&[
        ("PORT", "eighty"),
        ("SYSNDD_BIND", "localhost"),
        ("SYSNDD_DB_CONNECT_WAIT", "soon"),
        ("SYSNDD_DB_POOL_MAX", "4"),
        ("SYSNDD_DB_POOL_MIN", "5"),
        ("SYSNDD_DRAIN_DELAY", "1m"),
        ("SYSNDD_FAULT", "migrate.nowhere"),
        ("SYSNDD_LOG", "a=b=c"),
        ("SYSNDD_MIGRATE", "maybe"),
        ("SYSNDD_MIGRATE_GAPS", "some"),
        ("SYSNDD_RELEASE_FILE", "/does/not/exist"),
    ])
    .expect_err("faults");
    insta::assert_snapshot!(faults);
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let faults =
        read(&[("SYSNDD_DATABASE_URL", ""), ("SYSNDD_REPLICA", "a")]).expect_err("no database");
    assert!(
        faults
            .to_string()
            .contains("SYSNDD_DATABASE_URL: is not set"),
        "{faults}"
    );
}

#[test]
fn a_file_stands_in_for_a_variable_and_loses_its_line_end() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), database_url() + "\n").expect("writable");
    let path = file.path().to_str().expect("UTF-8");
    let config = read(&[("SYSNDD_DATABASE_URL_FILE", path)]).expect("complete");
    assert_eq!(config.database.url.opts().pass(), Some(SECRET));

    let both = [
        ("SYSNDD_DATABASE_URL_FILE", path),
        ("SYSNDD_DATABASE_URL", &database_url()),
    ];
    let faults = read(&both).expect_err("two sources").to_string();
    assert!(
        faults.contains("SYSNDD_DATABASE_URL: is set, and so is SYSNDD_DATABASE_URL_FILE"),
        "{faults}"
    );
}

#[test]
fn hosted_platforms_may_use_their_own_names() {
    let config = read(&[("DATABASE_URL", &database_url()), ("PORT", "5000")]).expect("complete");
    assert_eq!(config.server.bind.to_string(), "0.0.0.0:5000");

    let own = "mysql://own:for-tests-only@own/own";
    let config = read(&[
        ("DATABASE_URL", &database_url()),
        ("SYSNDD_DATABASE_URL", own),
    ])
    .expect("complete");
    assert_eq!(config.database.url.to_string(), "mysql://own@own:3306/own");
}

#[test]
fn durations_have_units() {
    let config = read(&[
        ("SYSNDD_DATABASE_URL", &database_url()),
        ("SYSNDD_DRAIN_DELAY", "250ms"),
        ("SYSNDD_SHUTDOWN_GRACE", "7s"),
        ("SYSNDD_MIGRATE_WAIT", "2m"),
    ])
    .expect("complete");
    assert_eq!(config.server.drain_delay, Duration::from_millis(250));
    assert_eq!(config.server.grace, Duration::from_secs(7));
    assert_eq!(config.migrations.wait, Duration::from_mins(2));
}

#[test]
fn a_misspelt_variable_is_noticed() {
    let config = read(&[
        ("SYSNDD_DATABASE_URL", &database_url()),
        ("SYSNDD_MIGRTAE", "off"),
    ])
    .expect("complete");
    assert_eq!(config.unknown, ["SYSNDD_MIGRTAE"]);
}

#[test]
fn the_password_is_never_shown() {
    let config = read(&[("SYSNDD_DATABASE_URL", &database_url())]).expect("complete");
    let shown = format!("{config:?} {:#?} {}", config.database, config.database.url);
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("mysql://sysndd@db:3306/sysndd"), "{shown}");
}

#[test]
fn a_database_address_that_does_not_parse_is_not_repeated() {
    for url in [
        SECRET.to_owned(),
        format!("{SECRET}://db/sysndd"),
        format!("postgres://sysndd:{SECRET}@db/sysndd"),
        format!("mysql://sysndd:{SECRET}@db"),
        format!("mysql://sysndd:1/{SECRET}@db/sysndd"),
        format!("mysql://sysndd:1#{SECRET}@db/sysndd"),
        format!("mysql://sysndd:1?{SECRET}@db/sysndd"),
        format!("mysql://sysndd:{SECRET}/2@db/sysndd"),
        format!("mysql://sysndd:x@db/sysndd?pool_max={SECRET}"),
        format!("mysql://sysndd:x@db/sysndd?{SECRET}=1"),
    ] {
        let faults = read(&[("SYSNDD_DATABASE_URL", &url)]).expect_err(&url);
        let shown = format!("{faults} {faults:?}");
        assert!(!shown.contains(SECRET), "{url} gives {shown}");
        assert!(shown.contains("SYSNDD_DATABASE_URL: "), "{shown}");
    }
}

#[test]
fn a_password_of_the_database_that_everybody_tries_first_is_refused_and_not_repeated() {
    for password in [
        "root",
        "password",
        "sysndd",
        "elevenchars",
        "mysql-password-1",
    ] {
        let url = format!("mysql://sysndd:{password}@db:3306/elsewhere");
        let faults = read(&[("SYSNDD_DATABASE_URL", &url)]).expect_err(password);
        let shown = faults.to_string();
        assert!(
            shown.contains("SYSNDD_DATABASE_URL: its password "),
            "{shown}"
        );
        assert!(!shown.contains(&format!("{password}@")), "{shown}");
    }
    let none = read(&[("SYSNDD_DATABASE_URL", "mysql://sysndd@db:3306/sysndd")]);
    assert!(none.is_err());
}

#[test]
fn so_is_one_of_the_account_that_restores() {
    let live = (
        "SYSNDD_DATABASE_URL",
        "mysql://sysndd:for-tests-only@db:3306/sysndd",
    );
    for (password, fits) in [("for-tests-only", true), ("root-password", false)] {
        let url = format!("mysql://sysndd_restore:{password}@db:3306/sysndd");
        let config = read(&[live, ("SYSNDD_RESTORE_DATABASE_URL", &url)]);
        let shown = config.map(drop).map_err(|faults| faults.to_string());
        assert_eq!(shown.is_ok(), fits, "{shown:?}");
        if let Err(shown) = shown {
            assert!(
                shown.contains("SYSNDD_RESTORE_DATABASE_URL: its password is one of"),
                "{shown}"
            );
        }
    }
}

#[test]
fn an_authority_is_a_file_with_certificates() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "-----BEGIN PRIVATE KEY-----\n").expect("writable");
    let wrong = file.path().to_str().expect("UTF-8").to_owned();
    for (path, fault) in [
        ("/does/not/exist", "cannot read"),
        (wrong.as_str(), "no certificate"),
    ] {
        let variables = [
            ("SYSNDD_DATABASE_URL", database_url()),
            ("SYSNDD_DB_CA", path.to_owned()),
        ];
        let variables = variables
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let faults = read(&variables).expect_err(path).to_string();
        assert!(
            faults.contains("SYSNDD_DB_CA: ") && faults.contains(fault),
            "{faults}"
        );
    }
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\n").expect("writable");
    let variables = [
        ("SYSNDD_DATABASE_URL", database_url()),
        ("SYSNDD_DB_CA", wrong),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let config = read(&variables).expect("complete");
    let opts = config.database.url.opts();
    let tls = opts.ssl_opts().expect("TLS is asked for");
    assert!(tls.disable_built_in_roots() && !tls.skip_domain_validation());
    assert!(!tls.accept_invalid_certs());
}

#[test]
fn the_reference_documents_exactly_the_variables_that_are_read() {
    let reference = include_str!("../../../docs/reference/api-environment.md");
    let rows = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();

    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config");
    let sources: Vec<String> = std::fs::read_dir(directory)
        .expect("the sources")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| {
            path.is_file() && !path.ends_with("tests.rs") && !path.ends_with("source.rs")
        })
        .map(|path| std::fs::read_to_string(path).expect("UTF-8"))
        .collect();
    let literals = sources
        .iter()
        .flat_map(|text| text.split('"').skip(1).step_by(2));
    let read: BTreeSet<&str> = literals
        .filter(|name| name.starts_with("SYSNDD_") && !name.contains(' '))
        .collect();
    assert_eq!(documented, read);
}

#[test]
fn a_database_elsewhere_that_is_spoken_to_in_plain_text_is_noticed() {
    for (host, noticed) in [
        ("db:3306", false),
        ("localhost:3306", false),
        ("127.0.0.1:3306", false),
        ("[::1]:3306", false),
        ("10.0.0.7:3306", true),
        ("mysql.example.org:3306", true),
        ("[fd12::7]:3306", true),
    ] {
        let url = format!("mysql://sysndd:{SECRET}@{host}/sysndd");
        let is_in_the_clear = |url: &str| {
            let config = read(&[("SYSNDD_DATABASE_URL", url)]).expect("complete");
            config.database.url.is_in_the_clear()
        };
        assert_eq!(is_in_the_clear(&url), noticed, "{host}");
        assert!(!is_in_the_clear(&format!("{url}?require_ssl=true")));
    }
}
