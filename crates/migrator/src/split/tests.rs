use proptest::prelude::*;

use super::*;

fn split(script: &str) -> Vec<(usize, String)> {
    pieces(script)
        .expect("can be split")
        .into_iter()
        .filter(|piece| piece.kind == PieceKind::Statement)
        .map(|piece| (piece.line, piece.text.to_owned()))
        .collect()
}

fn texts(script: &str) -> Vec<String> {
    split(script).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn statements_end_at_the_delimiter_and_keep_their_line() {
    assert_eq!(
        split("SELECT 1;\n\n-- two\nSELECT\n 2 ;SELECT 3"),
        [
            (1, "SELECT 1".into()),
            (4, "SELECT\n 2".into()),
            (5, "SELECT 3".into())
        ]
    );
}

#[test]
fn delimiters_in_quotes_and_comments_do_not_count() {
    assert_eq!(
        texts(r"SELECT 'a;b', 'it''s; \';', 1"),
        [r"SELECT 'a;b', 'it''s; \';', 1"]
    );
    assert_eq!(
        texts(r#"SELECT "a;""b;", "\";""#),
        [r#"SELECT "a;""b;", "\";""#]
    );
    assert_eq!(
        texts(r"SELECT `a;\`;SELECT 2"),
        [r"SELECT `a;\`", "SELECT 2"]
    );
    assert_eq!(
        texts("SELECT 1 /* ; */ + 1; SELECT 2"),
        ["SELECT 1 /* ; */ + 1", "SELECT 2"]
    );
    assert_eq!(
        texts("SELECT 1 -- ;\n+ 1; # ;\nSELECT 2"),
        ["SELECT 1 -- ;\n+ 1", "SELECT 2"]
    );
    assert_eq!(
        texts("SELECT 'it -- is' ; SELECT '/*';"),
        ["SELECT 'it -- is'", "SELECT '/*'"]
    );
}

#[test]
fn two_dashes_are_a_comment_only_before_white_space() {
    assert_eq!(texts("SELECT 5--1;"), ["SELECT 5--1"]);
    assert_eq!(texts("--\t;\n-- ;\nSELECT 5--\n;--"), ["SELECT 5"]);
    // The server will say what it thinks of it.
    assert_eq!(texts("--no space;"), ["--no space"]);
}

#[test]
fn executable_comments_are_statements_and_hints_stay_in_theirs() {
    assert_eq!(
        texts("/*!80013 SET @a = ';' */; SELECT 1"),
        ["/*!80013 SET @a = ';' */", "SELECT 1"]
    );
    assert_eq!(
        texts("/*! SELECT 1 /* ; */ + 1 */;"),
        ["/*! SELECT 1 /* ; */ + 1 */"]
    );
    assert_eq!(texts("/*M!100100 SELECT 1 */;"), ["/*M!100100 SELECT 1 */"]);
    assert_eq!(
        texts("SELECT /*+ MAX_EXECUTION_TIME(9) ; */ 1;"),
        ["SELECT /*+ MAX_EXECUTION_TIME(9) ; */ 1"]
    );
}

#[test]
fn delimiter_changes_what_ends_a_statement_and_need_not_be_reset() {
    assert_eq!(
        texts("DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END //\ncall p() //\n"),
        ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "call p()"]
    );
    assert_eq!(
        texts("delimiter $$\nSELECT 1; SELECT 2 $$\n  Delimiter ;\r\nSELECT 3;SELECT 4;"),
        ["SELECT 1; SELECT 2", "SELECT 3", "SELECT 4"]
    );
    assert_eq!(
        texts("DELIMITER ';;'\nSELECT ';';;\nSELECT 2"),
        ["SELECT ';'", "SELECT 2"]
    );
    assert_eq!(
        texts("SELECT 1; DELIMITER //\nSELECT 2;//"),
        ["SELECT 1", "SELECT 2;"]
    );
}

#[test]
fn a_column_named_delimiter_is_a_column() {
    let table = "CREATE TABLE t (\n  delimiter CHAR(1),\n  b INT)";
    assert_eq!(texts(&format!("{table};")), [table]);
}

#[test]
fn a_forgotten_delimiter_before_a_delimiter_line_is_refused() {
    assert_eq!(
        pieces("SELECT 1\nDELIMITER //\n"),
        Err(SplitError::DelimiterInStatement {
            line: 2,
            statement_line: 1
        })
    );
    assert_eq!(
        pieces("\nDELIMITER\n"),
        Err(SplitError::BadDelimiter { line: 2 })
    );
    assert_eq!(
        pieces("DELIMITER \\\n"),
        Err(SplitError::BadDelimiter { line: 1 })
    );
}

#[test]
fn windows_line_ends_and_scripts_without_statements() {
    assert_eq!(
        split("SELECT 1;\r\nSELECT\r\n2;\r\n"),
        [(1, "SELECT 1".into()), (2, "SELECT\r\n2".into())]
    );
    assert_eq!(split(""), []);
    assert_eq!(split(" ; ;; -- nothing\n /* at all */ ; # no\n"), []);
}

#[test]
fn what_is_never_closed_is_refused_with_the_line_where_it_opens() {
    assert_eq!(
        pieces("SELECT 1;\nSELECT 'a"),
        Err(SplitError::OpenQuote {
            line: 2,
            quote: '\''
        })
    );
    assert_eq!(
        pieces("SELECT `a\\"),
        Err(SplitError::OpenQuote {
            line: 1,
            quote: '`'
        })
    );
    assert_eq!(
        pieces("SELECT 'a\\"),
        Err(SplitError::OpenQuote {
            line: 1,
            quote: '\''
        })
    );
    assert_eq!(pieces("\n\n/* a"), Err(SplitError::OpenComment { line: 3 }));
    assert_eq!(
        pieces("/*!1 SELECT 1"),
        Err(SplitError::OpenComment { line: 1 })
    );
    assert_eq!(pieces("/*"), Err(SplitError::OpenComment { line: 1 }));
}

/// Scripts made of the pieces that matter, in any order.
fn scripts() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "SELECT 1",
        "a",
        " ",
        "\n",
        "\r\n",
        ";",
        "//",
        "$$",
        "'x;y'",
        "'it''s'",
        "'\\''",
        "\"q;\"",
        "`b;`",
        "'",
        "\"",
        "`",
        "\\",
        "-- c;\n",
        "--c",
        "# d;\n",
        "/* e; */",
        "/*",
        "*/",
        "/*! f */",
        "/*!80000 ",
        "/*+ h */",
        "DELIMITER //\n",
        "\nDELIMITER ;\n",
        "delimiter $$\r\n",
        "DELIMITER",
        "ü",
        "→",
        "\u{feff}",
        "-",
    ]);
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn joining_what_was_split_gives_the_same_script(script in scripts()) {
        if let Ok(pieces) = pieces(&script) {
            let joined: String = pieces.iter().map(|piece| piece.text).collect();
            prop_assert_eq!(joined, script);
        }
    }

    #[test]
    fn any_text_is_split_or_refused_without_a_panic(script in any::<String>()) {
        if let Ok(pieces) = pieces(&script) {
            let joined: String = pieces.iter().map(|piece| piece.text).collect();
            prop_assert_eq!(joined, script);
        }
    }

    #[test]
    fn every_statement_stands_on_the_line_that_it_names(script in scripts()) {
        if let Ok(pieces) = pieces(&script) {
            let mut before = String::new();
            for piece in pieces {
                prop_assert_eq!(piece.line, before.matches('\n').count() + 1);
                if piece.kind == PieceKind::Statement {
                    prop_assert_eq!(piece.text.trim(), piece.text);
                    prop_assert!(!piece.text.is_empty());
                }
                before.push_str(piece.text);
            }
        }
    }

    #[test]
    fn a_statement_split_again_is_itself(script in scripts()) {
        let script = script.to_ascii_lowercase().replace("delimiter", "x");
        for piece in pieces(&script).unwrap_or_default() {
            // Cut off from what followed it, `--` at the end would be a comment.
            if piece.kind == PieceKind::Statement && !piece.text.ends_with("--") {
                let again = pieces(piece.text).expect("splits");
                prop_assert_eq!(again.len(), 1);
                prop_assert_eq!(again[0].text, piece.text);
            }
        }
    }
}
