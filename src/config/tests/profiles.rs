//! Services that are part of the stack only while their profile is chosen.

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
