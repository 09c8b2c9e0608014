use std::fs;

use super::*;

/// A directory with these files, and an environment that works in it.
fn directory(files: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut environment = environment([]);
    environment.directory = directory.path().to_owned();
    (directory, environment)
}

const FILE: &str = "project = \"p\"\n[services.web]\nimage = \"web:${TAG}\"\n";

#[test]
fn a_file_is_read_with_the_dotenv_beside_it() {
    let (_directory, environment) = directory(&[("sysndd.toml", FILE), (".env", "TAG=7\n")]);
    let stack = load(Path::new(FILE_NAME), &environment).unwrap();
    let ImageSource::Reference(image) = &stack.services[&ServiceName::new("web")].image else {
        panic!("it has an image");
    };
    assert_eq!(image.expose(), "web:7");
    assert_eq!(stack.root, environment.directory);
}

#[test]
fn the_environment_wins_over_dotenv() {
    let (_directory, mut environment) = directory(&[("sysndd.toml", FILE), (".env", "TAG=7\n")]);
    environment
        .variables
        .insert("TAG".to_owned(), "8".to_owned());
    let stack = load(Path::new(FILE_NAME), &environment).unwrap();
    let ImageSource::Reference(image) = &stack.services[&ServiceName::new("web")].image else {
        panic!("it has an image");
    };
    assert_eq!(image.expose(), "web:8");
}

#[test]
fn a_missing_file_is_a_fault_of_the_whole_file() {
    let (_directory, environment) = directory(&[]);
    let errors = load(Path::new(FILE_NAME), &environment).unwrap_err();
    insta::assert_snapshot!(errors);
}

#[test]
fn faults_of_dotenv_and_of_the_file_come_together_and_show_no_value() {
    let (_directory, environment) = directory(&[
        (
            "sysndd.toml",
            "project = \"p\"\n[services.web]\nimage = \"web\"\nreplica = 2\n",
        ),
        (
            ".env",
            "# secrets\nA hunter1\nhunter2 B=1\nDB_PASSWORD=\"hunter3\nhunter4=\n",
        ),
    ]);
    let errors = load(Path::new(FILE_NAME), &environment).unwrap_err();
    assert!(!errors.to_string().contains("hunter"), "{errors}");
    insta::assert_snapshot!(errors);
}

#[test]
fn what_the_file_names_must_be_on_disk() {
    let file = "project = \"p\"\n[services.web]\nbuild = { context = \"web\" }\n";
    let (_directory, environment) = directory(&[("sysndd.toml", file)]);
    let errors = load(Path::new(FILE_NAME), &environment).unwrap_err();
    assert_eq!(errors.faults().len(), 1, "{errors}");

    let there = [("sysndd.toml", file), ("web/Dockerfile", "FROM scratch\n")];
    let (_directory, environment) = directory(&there);
    load(Path::new(FILE_NAME), &environment).unwrap();
}

#[test]
fn the_file_is_found_from_below() {
    let (directory, environment) = directory(&[("sysndd.toml", FILE), ("a/b/other", "")]);
    let found = discover(&directory.path().join("a/b"));
    assert_eq!(found, Some(environment.directory.join(FILE_NAME)));
    assert_eq!(discover(Path::new("/proc/self")), None);
}

#[test]
fn secrets_that_have_no_value_yet_are_told_before_the_file_can_be_read() {
    let file = "project = \"p\"\nsecrets = { A = { length = 20 }, B = { length = 30 }, C = { length = 40 }, D = { length = 50 } }\n\
                [services.web]\nimage = \"${A}\"\nunknown = 1\n";
    let (_directory, mut environment) =
        directory(&[("sysndd.toml", file), (".env", "B=set\nC=\n")]);
    environment
        .variables
        .insert("D".to_owned(), "set".to_owned());
    let missing = missing_secrets(Path::new(FILE_NAME), &environment).unwrap();
    let missing: Vec<_> = missing
        .iter()
        .map(|(name, spec)| (name.as_str(), spec.length))
        .collect();
    assert_eq!(missing, [("A", 20), ("C", 40)]);
}

#[test]
fn secrets_at_fault_are_refused() {
    let file = "[secrets]\nA = { length = 1 }\n";
    let (_directory, environment) = directory(&[("sysndd.toml", file)]);
    let errors = missing_secrets(Path::new(FILE_NAME), &environment).unwrap_err();
    assert_eq!(errors.faults().len(), 1, "{errors}");
}

#[test]
fn migration_files_are_found_without_secrets_and_whatever_else_is_at_fault() {
    let file = "project = 7\n[services.db]\nimage = \"${NOT_SET}\"\n[migrations]\nservice = \"nobody\"\ndir = \"sql\"\n\
                database = \"mysql://u:${DB_PASSWORD:?set it}@db:3306/d\"\nrequire_charset = true\ngaps = \"deny\"\n";
    let (_directory, environment) = directory(&[("sysndd.toml", file), ("sql/001_a.sql", "")]);
    let files = migration_files(Path::new(FILE_NAME), &environment).unwrap();
    let files = files.expect("the file has migrations");
    assert_eq!(files.dir, environment.directory.join("sql"));
    assert_eq!(
        (files.require_engine, files.require_charset, files.gaps),
        (false, true, Some(sysndd_migrator::Gaps::Deny))
    );

    let (_directory, environment) = directory(&[("sysndd.toml", FILE)]);
    let none = migration_files(Path::new(FILE_NAME), &environment).unwrap();
    assert!(none.is_none());

    let misspelt = "[migrations]\ndir = \"sql\"\ngap = \"deny\"\n";
    let (_directory, environment) = directory(&[("sysndd.toml", misspelt)]);
    let errors = migration_files(Path::new(FILE_NAME), &environment).unwrap_err();
    let said = errors.to_string();
    assert!(said.contains("did you mean `gaps`?"), "{said}");
    assert_eq!(
        errors.faults().len(),
        2,
        "the directory is not there: {said}"
    );
}

#[test]
fn the_database_is_a_service_or_a_host_elsewhere() {
    let file = |host: &str| {
        format!(
            "project = \"p\"\n[services.web]\nimage = \"web\"\n[migrations]\nservice = \"web\"\ndir = \"sql\"\n\
             database = \"mysql://u:p@{host}:3306/d\"\n"
        )
    };
    for (host, right) in [
        ("web", true),
        ("db.example.org", true),
        ("10.0.0.7", true),
        ("wbe", false),
    ] {
        let (_directory, environment) =
            directory(&[("sysndd.toml", &file(host)), ("sql/001_a.sql", "")]);
        let loaded = load(Path::new(FILE_NAME), &environment);
        assert_eq!(loaded.is_ok(), right, "{host}");
    }
}
