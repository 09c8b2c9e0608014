use super::*;

#[test]
fn the_shipped_file_is_read_whole() {
    insta::assert_json_snapshot!(stack(SHIPPED));
}

#[test]
fn the_shipped_file_without_secrets_says_how_to_get_them() {
    let errors = read_in(SHIPPED, &environment([])).expect_err("there are no secrets");
    insta::assert_snapshot!(errors);
}

#[test]
fn secrets_are_in_the_values_and_nowhere_else() {
    let stack = stack(SHIPPED);
    let url = &stack
        .migrations
        .as_ref()
        .expect("it has migrations")
        .database;
    assert_eq!(url.expose(), "mysql://sysndd:hunter2@db:3306/sysndd");
    let shown = [
        format!("{stack:?}"),
        serde_json::to_string(&stack).unwrap(),
        show(&stack),
        url.masked(),
    ];
    for text in shown {
        assert!(
            !text.contains("hunter2") && !text.contains("correct-horse"),
            "{text}"
        );
    }
}
