use super::*;

/// The names and values of a file, with `HOME` in the process's environment.
fn values(text: &str) -> Vec<(String, String)> {
    let process = [("HOME".to_owned(), "/root".to_owned())].into();
    let (entries, faults) = parse(text, &process);
    assert_eq!(faults, [], "{text}");
    entries
        .into_iter()
        .map(|entry| (entry.name, entry.value))
        .collect()
}

#[test]
fn each_form_has_its_value() {
    let table: [(&str, &[(&str, &str)]); 32] = [
        ("", &[]),
        ("\n\n", &[]),
        ("# a comment", &[]),
        ("  # a comment", &[]),
        ("A=1", &[("A", "1")]),
        ("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]),
        ("\u{feff}A=1", &[("A", "1")]),
        ("  A = 1  ", &[("A", "1")]),
        ("A: 1", &[("A", "1")]),
        ("export A=1", &[("A", "1")]),
        ("exported=1", &[("exported", "1")]),
        ("A=", &[("A", "")]),
        ("A", &[]),
        ("A=1 # comment", &[("A", "1")]),
        ("A=1# no comment", &[("A", "1# no comment")]),
        ("A=# comment", &[("A", "")]),
        ("A=a b", &[("A", "a b")]),
        ("A=a=b", &[("A", "a=b")]),
        ("A=\"1\" # comment", &[("A", "1")]),
        ("A=\"1 # no comment\"", &[("A", "1 # no comment")]),
        ("A=\"a\\nb\\t\\\"c\\\\\"", &[("A", "a\nb\t\"c\\")]),
        ("A='a\\nb'", &[("A", "a\\nb")]),
        ("A='Let\\'s go'", &[("A", "Let's go")]),
        ("A='$HOME'", &[("A", "$HOME")]),
        ("A=\"\\$HOME\"", &[("A", "$HOME")]),
        ("A=$HOME/x", &[("A", "/root/x")]),
        ("A=\"${HOME}/x\"", &[("A", "/root/x")]),
        ("A=1\nB=${A}${NONE:-2}", &[("A", "1"), ("B", "12")]),
        ("HOME=/x\nA=$HOME", &[("HOME", "/x"), ("A", "/root")]),
        ("A='one\ntwo'\nB=3", &[("A", "one\ntwo"), ("B", "3")]),
        ("A=\"one\ntwo\"", &[("A", "one\ntwo")]),
        ("A=a'b", &[("A", "a'b")]),
    ];
    for (text, expected) in table {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(values(text), expected, "{text:?}");
    }
}

#[test]
fn each_mistake_is_found_where_it_stands_and_the_rest_is_read() {
    let table = [
        ("OK=1\n5A=1", "5A"),
        ("OK=1\n=1", "="),
        ("OK=1\nA B", "A"),
        ("OK=1\nA=\"1\" 2", "A"),
        ("A=$NONE\nOK=1", "A"),
        ("A=${NONE:?say so}\nOK=1", "A"),
        ("A=${\nOK=1", "A"),
        ("OK=1\nA=\"1", "A"),
        ("OK=1\nA='1", "A"),
    ];
    for (text, wrong) in table {
        let (entries, faults) = parse(text, &BTreeMap::new());
        let found: Vec<&str> = faults
            .iter()
            .map(|fault| &text[fault.span.clone()])
            .collect();
        assert_eq!(found, [wrong], "{text}: {faults:?}");
        assert_eq!(entries.len(), 1, "{text}: {entries:?}");
    }
}

#[test]
fn a_value_remembers_what_it_was_made_from() {
    let (entries, _) = parse("A=1\nB=x${A}${C:-$A}", &BTreeMap::new());
    assert_eq!(entries[1].references, ["A", "C", "A"]);
}
