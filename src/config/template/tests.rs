use super::*;

fn reference(name: &str, otherwise: Otherwise, refuse_empty: bool) -> Piece {
    // Spans are compared in a test of their own.
    Piece::Reference(Reference {
        name: name.to_owned(),
        refuse_empty,
        otherwise,
        span: 0..0,
    })
}

fn literal(text: &str) -> Piece {
    Piece::Literal(text.to_owned())
}

fn without_spans(pieces: Vec<Piece>) -> Vec<Piece> {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Literal(_) => piece,
            Piece::Reference(reference) => Piece::Reference(Reference {
                span: 0..0,
                otherwise: match reference.otherwise {
                    Otherwise::Default(default) => Otherwise::Default(without_spans(default)),
                    other => other,
                },
                ..reference
            }),
        })
        .collect()
}

#[test]
fn each_form_is_understood() {
    let default = |text: &str| Otherwise::Default(vec![literal(text)]);
    let message = |text: &str| Otherwise::Message(text.to_owned());
    let table: Vec<(&str, Vec<Piece>)> = vec![
        ("", vec![]),
        ("plain", vec![literal("plain")]),
        ("$$", vec![literal("$")]),
        ("$${A}", vec![literal("${A}")]),
        ("a}b", vec![literal("a}b")]),
        ("${A}", vec![reference("A", Otherwise::Required, false)]),
        (
            "x${A}y",
            vec![
                literal("x"),
                reference("A", Otherwise::Required, false),
                literal("y"),
            ],
        ),
        ("${A:-d}", vec![reference("A", default("d"), true)]),
        ("${A-d}", vec![reference("A", default("d"), false)]),
        (
            "${A:-}",
            vec![reference("A", Otherwise::Default(vec![]), true)],
        ),
        (
            "${A:?say so}",
            vec![reference("A", message("say so"), true)],
        ),
        (
            "${A?say so}",
            vec![reference("A", message("say so"), false)],
        ),
        ("${A:-b:-c}", vec![reference("A", default("b:-c"), true)]),
        ("${A:-$$}", vec![reference("A", default("$"), true)]),
        (
            "${deploy.release}",
            vec![reference("deploy.release", Otherwise::Required, false)],
        ),
        (
            "${A:-x${B:-y}z}",
            vec![reference(
                "A",
                Otherwise::Default(vec![
                    literal("x"),
                    reference("B", default("y"), true),
                    literal("z"),
                ]),
                true,
            )],
        ),
    ];
    for (text, pieces) in table {
        assert_eq!(
            parse(text, Dialect::Strict).map(without_spans),
            Ok(pieces),
            "{text}"
        );
    }
}

#[test]
fn each_mistake_is_found_where_it_stands() {
    let table: [(&str, &[&str]); 9] = [
        ("a ${", &["${"]),
        ("a ${A", &["${A"]),
        ("a ${A:-b", &["${A:-b"]),
        ("a ${A:?b", &["${A:?b"]),
        ("a ${} b", &["${}"]),
        ("a ${A!} ${B:} b", &["${A!}", "${B:}"]),
        ("a $A b", &["$A"]),
        ("a $ b", &["$"]),
        ("${A:-${B:-$C}}", &["$C"]),
    ];
    for (text, wrong) in table {
        let faults = parse(text, Dialect::Strict).expect_err(text);
        let found: Vec<&str> = faults
            .iter()
            .map(|fault| &text[fault.span.clone()])
            .collect();
        assert_eq!(found, wrong, "{text}: {faults:?}");
    }
}

#[test]
fn defaults_nest_only_so_deep() {
    let nested = |depth: usize| "${A:-".repeat(depth) + &"}".repeat(depth);
    assert!(parse(&nested(MAX_DEPTH), Dialect::Strict).is_ok());
    assert!(parse(&nested(MAX_DEPTH + 1), Dialect::Strict).is_err());
    assert!(parse(&nested(100_000), Dialect::Strict).is_err());
}

#[test]
fn dotenv_knows_names_without_braces_and_lone_dollars() {
    let pieces = parse("$A-$ $5", Dialect::Dotenv).map(without_spans);
    let expected = vec![reference("A", Otherwise::Required, false), literal("-$ $5")];
    assert_eq!(pieces, Ok(expected));
}
