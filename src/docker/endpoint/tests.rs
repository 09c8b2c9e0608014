use std::{collections::BTreeMap, fs};

use super::*;

/// `~/.docker` with contexts in it.
struct Home {
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        Self {
            directory,
            variables: [("DOCKER_CONFIG".to_owned(), path)].into(),
        }
    }

    fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn with_file(self, path: &str, text: &str) -> Self {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn with_current(self, name: &str) -> Self {
        self.with_file(
            "config.json",
            &format!(r#"{{"auths":{{}},"currentContext":"{name}"}}"#),
        )
    }

    /// As `docker context create` writes it. The directory is the SHA-256 of the name.
    fn with_context(self, name: &str, endpoint: &str) -> Self {
        let text = format!(
            r#"{{"Name":"{name}","Metadata":{{"Description":"x"}},"Endpoints":{{"docker":{endpoint}}}}}"#
        );
        self.with_file(&format!("contexts/meta/{}/meta.json", id(name)), &text)
    }

    fn choose(&self, host: Option<&str>, context: Option<&str>) -> Result<Endpoint> {
        let variable = |name: &str| self.variables.get(name).cloned();
        Settings::new(&variable).endpoint(&EngineChoice {
            host: host.map(str::to_owned),
            context: context.map(str::to_owned),
        })
    }

    fn chosen(&self, host: Option<&str>, context: Option<&str>) -> (String, String) {
        let endpoint = self.choose(host, context).unwrap();
        (endpoint.host, endpoint.source.to_string())
    }
}

#[test]
fn each_word_counts_more_than_the_next() {
    let mut home = Home::new()
        .with_context("far", r#"{"Host":"ssh://ana@far"}"#)
        .with_context("near", r#"{"Host":"tcp://near:2375"}"#)
        .with_context("here", r#"{"Host":"unix:///run/other.sock"}"#)
        .with_current("here")
        .with_variable("DOCKER_CONTEXT", "near")
        .with_variable("DOCKER_HOST", "tcp://10.0.0.1:2375");
    let is = |found: (String, String), host: &str, source: &str| {
        assert_eq!(found, (host.to_owned(), source.to_owned()));
    };
    is(home.chosen(Some("ssh://x"), None), "ssh://x", "--host");
    is(
        home.chosen(None, Some("far")),
        "ssh://ana@far",
        "context far of --context",
    );
    is(
        home.chosen(None, None),
        "tcp://10.0.0.1:2375",
        "DOCKER_HOST",
    );
    // As with docker: the default context is that of the variables.
    is(
        home.chosen(None, Some("default")),
        "tcp://10.0.0.1:2375",
        "DOCKER_HOST",
    );
    home.variables.insert("DOCKER_HOST".into(), String::new());
    is(
        home.chosen(None, None),
        "tcp://near:2375",
        "context near of DOCKER_CONTEXT",
    );
    home.variables.remove("DOCKER_CONTEXT");
    let file = home.directory.path().join("config.json");
    let source = format!("context here of {}", file.display());
    is(home.chosen(None, None), "unix:///run/other.sock", &source);
    fs::remove_file(file).unwrap();
    is(home.chosen(None, None), DEFAULT_SOCKET, "the usual socket");
}

#[test]
fn an_unknown_context_lists_those_there_are() {
    let home = Home::new()
        .with_context("far", r#"{"Host":"ssh://far"}"#)
        .with_context("near", r#"{"Host":"tcp://near:2375"}"#);
    let error = home.choose(None, Some("fra")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no Docker context fra, which --context names"
    );
    assert_eq!(error.hint().unwrap(), "contexts are default, far, near");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let home = Home::new().with_file("config.json", "{");
    let error = home.choose(None, None).unwrap_err().to_string();
    assert!(error.contains("config.json: EOF while parsing"), "{error}");
    // Whoever says --host is not kept by a broken file.
    assert_eq!(home.chosen(Some("unix:///x"), None).0, "unix:///x");

    let home = Home::new().with_context("far", "{}");
    let error = home.choose(None, Some("far")).unwrap_err();
    assert!(
        error.to_string().contains("far names no engine: "),
        "{error}"
    );
}

#[test]
fn tls_files_lie_beside_the_context_or_where_the_variables_say() {
    let tls = |name: &str| format!("contexts/tls/{}/docker/ca.pem", id(name));
    let home = Home::new()
        .with_context("far", r#"{"Host":"tcp://far:2376","SkipTLSVerify":false}"#)
        .with_file(&tls("far"), "-")
        .with_context("lax", r#"{"Host":"tcp://lax:2376","SkipTLSVerify":true}"#)
        .with_variable("DOCKER_TLS_VERIFY", "1")
        .with_variable("DOCKER_CERT_PATH", "/certs");
    let far = home.choose(None, Some("far")).unwrap().tls.unwrap();
    assert_eq!(far.ca, home.directory.path().join(tls("far")));
    let lax = home.choose(None, Some("lax")).unwrap_err();
    assert!(lax.to_string().contains("takes any server"), "{lax}");
    let by_host = home.choose(Some("tcp://far:2376"), None).unwrap();
    assert_eq!(by_host.tls.unwrap().key, Path::new("/certs/key.pem"));
    assert_eq!(home.choose(Some("unix:///x"), None).unwrap().tls, None);
}
