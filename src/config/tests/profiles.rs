//! Services that are part of the stack only while their profile is chosen.

use sysndd_protocol::{ReleaseId, ReplicaName};

use super::*;

const STACK: &str = r#"
project = "p"
profiles = "${PROFILES:-}"
[services.api]
image = "api"
[services.mail]
image = "mail"
profiles = ["dev", "test"]
"#;

fn services(chosen: &str) -> Vec<String> {
    let environment = environment([("PROFILES", chosen)]);
    let stack = read_in(STACK, &environment).unwrap_or_else(|errors| panic!("{errors}"));
    stack.services.keys().map(ToString::to_string).collect()
}

#[test]
fn a_service_is_there_while_one_of_its_profiles_is_chosen() {
    assert_eq!(services(""), ["api"]);
    assert_eq!(services("prod"), ["api"]);
    assert_eq!(services("dev"), ["api", "mail"]);
    assert_eq!(services(" prod , test"), ["api", "mail"]);
}

#[test]
fn what_a_service_gives_is_had_while_it_is_part_of_the_stack() {
    let file = STACK.replace(
        "image = \"api\"",
        "image = \"api\"\nenvironment = { HOST = \"far\", OTHER = \"1\" }",
    ) + "[services.mail.gives.api]\nHOST = \"mail\"\n";
    let api = |chosen: &str| {
        let environment = environment([("PROFILES", chosen)]);
        let stack = read_in(&file, &environment).unwrap_or_else(|errors| panic!("{errors}"));
        let api = &stack.services[&ServiceName::new("api")];
        let values = api.environment.iter();
        let (release, replica) = (ReleaseId::new("r"), ReplicaName::new("p-api-r-1"));
        let values =
            values.map(|(name, value)| format!("{name}={}", value.resolve(&release, &replica)));
        values.collect::<Vec<_>>()
    };
    assert_eq!(api(""), ["HOST=far", "OTHER=1"]);
    assert_eq!(api("dev"), ["HOST=mail", "OTHER=1"]);

    let nobody = file.replace("gives.api", "gives.apo");
    let said = faults(&nobody).to_string();
    assert!(said.contains("there is no service `apo`"), "{said}");
}

#[test]
fn who_needs_a_service_that_is_left_out_is_told_at_its_line() {
    let needs = STACK.replace(
        "image = \"api\"",
        "image = \"api\"\ndepends_on = [\"mail\"]",
    );
    let said = faults(&needs).to_string();
    assert!(
        said.contains("sysndd.toml:6:")
            && said
                .contains("service `mail` is left out: none of its profiles is chosen (dev, test)"),
        "{said}"
    );
    assert!(
        said.contains("hint: choose one in the top-level `profiles`"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_a_profile_is_refused() {
    let wrong = STACK.replace("\"dev\", \"test\"", "\"Dev!\"");
    assert!(
        faults(&wrong)
            .to_string()
            .contains("`Dev!` cannot be a name")
    );
}
