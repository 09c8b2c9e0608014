//! What kind of statement one is, as far as carrying on after a crash depends on it. Pure.
//!
//! Whatever is not known for certain is `Opaque` and leaves the session dirty: a wrong guess in
//! that direction costs a question to a person, in the other it costs data.

use crate::lex::{Token, tokens};

/// A schema object, as it is asked for in `SHOW CREATE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: ObjectKind,
    /// Qualifier and name.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// Views are asked for like tables.
    Table,
    Procedure,
    Function,
    Trigger,
    Event,
}

/// The kind of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads or changes rows, and nothing else where the tables are transactional.
    Rows,
    /// One data definition statement, atomic in `MySQL` 8 and later, seen in these definitions.
    Definition(Vec<Object>),
    /// `BEGIN` or `START TRANSACTION`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// Anything else.
    Opaque,
}

/// What is known of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) kind: Kind,
    /// Whether running it twice is running it once: `IF NOT EXISTS`, `OR REPLACE`, or a statement
    /// that only prepares the session.
    pub(crate) guarded: bool,
    /// Whether later statements may depend on the session that it leaves.
    pub(crate) dirties: bool,
    /// Whether it reads what an earlier statement left in the session, such as `LAST_INSERT_ID()`.
    pub(crate) reads_session: bool,
    /// Whether it names a storage engine other than `InnoDB`.
    pub(crate) other_engine: bool,
}

impl Class {
    fn opaque(guarded: bool, dirties: bool) -> Self {
        Self {
            kind: Kind::Opaque,
            guarded,
            dirties,
            reads_session: false,
            other_engine: false,
        }
    }

    fn clean(kind: Kind, guarded: bool) -> Self {
        Self {
            kind,
            guarded,
            dirties: false,
            reads_session: false,
            other_engine: false,
        }
    }
}

/// Functions whose answer is a leftover of an earlier statement, or that hold session locks.
const SESSION_FUNCTIONS: [&str; 8] = [
    "LAST_INSERT_ID",
    "ROW_COUNT",
    "FOUND_ROWS",
    "CONNECTION_ID",
    "GET_LOCK",
    "RELEASE_LOCK",
    "GET",
    "DIAGNOSTICS",
];

/// Parts of `ALTER TABLE` that change rows or files and leave the definition as it was, so that
/// the definition does not tell whether they ran.
const INVISIBLE: [&str; 8] = [
    "EXCHANGE",
    "TRUNCATE",
    "IMPORT",
    "DISCARD",
    "COALESCE",
    "REORGANIZE",
    "REMOVE",
    "UPGRADE",
];

pub(crate) fn classify(statement: &str) -> Class {
    let tokens = tokens(statement);
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    let Some(first) = tokens.first() else {
        return Class::opaque(true, false);
    };
    if let Some(class) = compound(&tokens) {
        return class;
    }
    if tokens[..tokens.len() - 1].contains(&Token::Mark(b';')) {
        // Several statements under another delimiter: which of them ran cannot be told.
        return Class::opaque(false, true);
    }
    let variables = tokens
        .iter()
        .any(|token| matches!(token, Token::UserVariable | Token::SystemVariable));
    if variables && !first.is("SET") && !first.is("PREPARE") {
        // `SELECT ... INTO @x` only fills the session; rows may change as well in anything else.
        let only_reads = first.is("SELECT") && !has("OUTFILE") && !has("DUMPFILE");
        return Class::opaque(only_reads, true);
    }
    let mut class = by_keyword(first, &tokens, &has);
    class.reads_session =
        SESSION_FUNCTIONS.iter().any(|function| has(function)) && class.kind == Kind::Rows;
    class.other_engine = names_other_engine(&tokens);
    class
}

fn by_keyword(first: &Token, tokens: &[Token], has: &impl Fn(&str) -> bool) -> Class {
    let is = |words: &[&str]| words.iter().any(|word| first.is(word));
    if is(&[
        "SELECT", "WITH", "TABLE", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "DO",
    ]) || *first == Token::Mark(b'(')
    {
        let writes_file = has("OUTFILE") || has("DUMPFILE");
        return if writes_file {
            Class::opaque(false, false)
        } else {
            Class::clean(Kind::Rows, false)
        };
    }
    if is(&["SHOW", "DESCRIBE", "DESC", "EXPLAIN"]) {
        return Class::clean(Kind::Rows, true);
    }
    if is(&["CREATE", "ALTER", "DROP", "RENAME"]) {
        return definition(first, tokens, has);
    }
    if is(&["BEGIN"]) || (is(&["START"]) && has("TRANSACTION")) {
        return Class::clean(Kind::Begin, false);
    }
    if is(&["COMMIT"]) && tokens.len() <= 2 {
        return Class::clean(Kind::Commit, false);
    }
    if is(&["SET"]) {
        let lasting = has("GLOBAL") || has("PERSIST") || has("PASSWORD");
        return Class::opaque(!lasting, true);
    }
    if is(&["PREPARE", "DEALLOCATE", "USE", "LOCK", "UNLOCK"]) {
        return Class::opaque(true, true);
    }
    if is(&[
        "GRANT", "REVOKE", "TRUNCATE", "ANALYZE", "OPTIMIZE", "FLUSH", "REPAIR", "CHECK",
        "CHECKSUM",
    ]) {
        // These touch nothing in the session. Granting or analysing twice is granting once.
        return Class::opaque(!is(&["TRUNCATE", "REPAIR"]), false);
    }
    Class::opaque(false, true)
}

/// `CREATE PROCEDURE`, `FUNCTION`, `TRIGGER`, `EVENT`: their bodies are not run now, so nothing in
/// them counts. `None` for any other statement.
fn compound(tokens: &[Token]) -> Option<Class> {
    if !tokens[0].is("CREATE") {
        return None;
    }
    let (at, kind) = tokens.iter().take(16).enumerate().find_map(|(at, token)| {
        let kind = match token {
            _ if token.is("PROCEDURE") => ObjectKind::Procedure,
            _ if token.is("FUNCTION") => ObjectKind::Function,
            _ if token.is("TRIGGER") => ObjectKind::Trigger,
            _ if token.is("EVENT") => ObjectKind::Event,
            // A table, view or index of that name is none.
            _ if [
                "TABLE", "VIEW", "INDEX", "DATABASE", "SCHEMA", "USER", "ROLE",
            ]
            .iter()
            .any(|word| token.is(word)) =>
            {
                return Some((at, None));
            }
            _ => return None,
        };
        Some((at, Some(kind)))
    })?;
    let kind = kind?;
    let guarded = tokens[..at].iter().any(|token| token.is("REPLACE"))
        || exists_clause(&tokens[at + 1..]) > 0;
    // Behind the body of a single statement, `;` begins another statement of the same packet.
    let first_end = tokens.iter().position(|token| *token == Token::Mark(b';'));
    if let Some(first_end) = first_end {
        let block = tokens[..first_end].iter().any(|token| token.is("BEGIN"));
        let ends = tokens.iter().rev().take(3).any(|token| token.is("END"));
        if first_end + 1 < tokens.len() && !(block && ends) {
            return Some(Class::opaque(false, true));
        }
    }
    let name = at + 1 + exists_clause(&tokens[at + 1..]);
    Some(match object(kind, &tokens[name..]) {
        Some((object, _)) => Class::clean(Kind::Definition(vec![object]), guarded),
        None => Class::opaque(guarded, false),
    })
}

fn definition(first: &Token, tokens: &[Token], has: &impl Fn(&str) -> bool) -> Class {
    if tokens.iter().take(4).any(|token| token.is("TEMPORARY")) {
        return Class::opaque(exists_clause_anywhere(tokens), true);
    }
    let guarded = exists_clause_anywhere(tokens)
        || (first.is("CREATE") && tokens.get(1).is_some_and(|token| token.is("OR")));
    let unseen = first.is("ALTER") && INVISIBLE.iter().any(|word| has(word));
    match targets(first, tokens) {
        Some(objects) if !unseen && !repeats(&objects) => {
            Class::clean(Kind::Definition(objects), guarded)
        }
        _ => Class::opaque(guarded, false),
    }
}

/// The objects in whose definitions the statement shows.
fn targets(first: &Token, tokens: &[Token]) -> Option<Vec<Object>> {
    // Up to the object's kind there may be OR REPLACE, ALGORITHM, DEFINER, UNIQUE and the like.
    let kind_at = tokens.iter().take(20).position(|token| {
        [
            "TABLE",
            "TABLES",
            "VIEW",
            "INDEX",
            "PROCEDURE",
            "FUNCTION",
            "TRIGGER",
            "EVENT",
        ]
        .iter()
        .any(|word| token.is(word))
    })?;
    if tokens[1..kind_at].iter().any(|token| {
        [
            "DATABASE",
            "SCHEMA",
            "USER",
            "ROLE",
            "SERVER",
            "TABLESPACE",
            "INSTANCE",
            "LOGFILE",
            "RESOURCE",
        ]
        .iter()
        .any(|word| token.is(word))
    }) {
        return None;
    }
    let kind = &tokens[kind_at];
    let rest = &tokens[kind_at + 1..];
    let rest = &rest[exists_clause(rest)..];
    if kind.is("INDEX") {
        let on = rest.iter().position(|token| token.is("ON"))?;
        return object(ObjectKind::Table, &rest[on + 1..]).map(|(table, _)| vec![table]);
    }
    let object_kind = match kind {
        _ if kind.is("PROCEDURE") => ObjectKind::Procedure,
        _ if kind.is("FUNCTION") => ObjectKind::Function,
        _ if kind.is("TRIGGER") => ObjectKind::Trigger,
        _ if kind.is("EVENT") => ObjectKind::Event,
        _ => ObjectKind::Table,
    };
    if first.is("DROP") {
        return names(object_kind, rest, &[]);
    }
    if first.is("RENAME") {
        return names(object_kind, rest, &["TO"]);
    }
    object(object_kind, rest).map(|(object, _)| vec![object])
}

/// Every name in a list that `,` or one of the words separates.
fn names(kind: ObjectKind, mut rest: &[Token], separators: &[&str]) -> Option<Vec<Object>> {
    let mut objects = Vec::new();
    loop {
        let (object, length) = object(kind, rest)?;
        objects.push(object);
        rest = &rest[length..];
        match rest.first() {
            Some(token)
                if *token == Token::Mark(b',') || separators.iter().any(|word| token.is(word)) =>
            {
                rest = &rest[1..]
            }
            _ => return Some(objects),
        }
    }
}

/// A name with or without a qualifier, and how many tokens it takes.
fn object(kind: ObjectKind, rest: &[Token]) -> Option<(Object, usize)> {
    let first = rest.first()?.name()?.to_owned();
    if rest.get(1) == Some(&Token::Mark(b'.')) {
        let name = rest.get(2)?.name()?.to_owned();
        return Some((
            Object {
                kind,
                schema: Some(first),
                name,
            },
            3,
        ));
    }
    Some((
        Object {
            kind,
            schema: None,
            name: first,
        },
        1,
    ))
}

/// A rename that gives a name away and takes it again may end with the definitions it began with.
fn repeats(objects: &[Object]) -> bool {
    objects
        .iter()
        .enumerate()
        .any(|(at, object)| objects[..at].contains(object))
}

/// Length of `IF EXISTS` or `IF NOT EXISTS` at the begin.
fn exists_clause(tokens: &[Token]) -> usize {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
    match () {
        () if is(0, "IF") && is(1, "EXISTS") => 2,
        () if is(0, "IF") && is(1, "NOT") && is(2, "EXISTS") => 3,
        () => 0,
    }
}

/// Whether the object that the statement makes or takes away is named behind such a clause.
/// Deeper in the statement it guards only a part.
fn exists_clause_anywhere(tokens: &[Token]) -> bool {
    let head = tokens.len().min(20);
    let altered = tokens[0].is("ALTER");
    !altered
        && (0..head).any(|at| {
            exists_clause(&tokens[at..]) > 0 && !tokens[..at].contains(&Token::Mark(b'('))
        })
}

fn names_other_engine(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let value = match tokens.get(at + 1) {
            Some(Token::Mark(b'=')) => tokens.get(at + 2),
            other => other,
        };
        token.is("ENGINE")
            && value.is_some_and(|engine| engine.name().is_some() && !engine.is("InnoDB"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Object {
        Object {
            kind: ObjectKind::Table,
            schema: None,
            name: name.to_owned(),
        }
    }

    fn defines(statement: &str) -> Vec<Object> {
        match classify(statement) {
            Class {
                kind: Kind::Definition(objects),
                dirties: false,
                ..
            } => objects,
            other => panic!("{statement}: {other:?}"),
        }
    }

    #[test]
    fn definitions_name_their_targets() {
        assert_eq!(defines("CREATE TABLE a (b INT)"), [table("a")]);
        assert_eq!(
            defines("create table if not exists `a b` (c int)"),
            [table("a b")]
        );
        assert_eq!(defines("ALTER TABLE a ADD COLUMN b INT"), [table("a")]);
        assert_eq!(
            defines("DROP TABLE IF EXISTS a, `b`"),
            [table("a"), table("b")]
        );
        assert_eq!(
            defines("RENAME TABLE a TO b, c TO d"),
            [table("a"), table("b"), table("c"), table("d")]
        );
        assert_eq!(defines("CREATE UNIQUE INDEX i ON a (b)"), [table("a")]);
        assert_eq!(defines("DROP INDEX i ON a"), [table("a")]);
        assert_eq!(
            defines("CREATE OR REPLACE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW v AS SELECT 1"),
            [table("v")]
        );
        assert_eq!(
            defines("CREATE TABLE other.a (b INT)"),
            [Object {
                schema: Some("other".into()),
                ..table("a")
            }]
        );
    }

    #[test]
    fn bodies_of_routines_do_not_count() {
        let routine = |kind, name: &str| Object {
            kind,
            schema: None,
            name: name.to_owned(),
        };
        assert_eq!(
            defines("CREATE PROCEDURE p() BEGIN SET @x = 1; PREPARE s FROM @x; EXECUTE s; END"),
            [routine(ObjectKind::Procedure, "p")]
        );
        assert_eq!(
            defines("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = @c"),
            [routine(ObjectKind::Trigger, "t")]
        );
        assert_eq!(
            defines("DROP PROCEDURE IF EXISTS p"),
            [routine(ObjectKind::Procedure, "p")]
        );
        // A body of one statement, and another statement behind it.
        assert_eq!(
            classify("CREATE PROCEDURE p() SELECT 1; CALL p()").kind,
            Kind::Opaque
        );
    }

    #[test]
    fn rows_are_told_from_what_depends_on_the_session() {
        for clean in [
            "INSERT INTO a VALUES (1, '@x')",
            "UPDATE a SET b = 1",
            "WITH c AS (SELECT 1) SELECT * FROM c",
            "(SELECT 1)",
        ] {
            let class = classify(clean);
            assert_eq!(
                (class.kind, class.dirties, class.reads_session),
                (Kind::Rows, false, false),
                "{clean}"
            );
        }
        assert!(classify("INSERT INTO a VALUES (LAST_INSERT_ID())").reads_session);
        assert!(classify("INSERT INTO a VALUES (@x)").dirties);
        assert!(!classify("INSERT INTO a VALUES (@x)").guarded);
        assert!(classify("SELECT MAX(id) INTO @x FROM a").guarded);
    }

    #[test]
    fn what_is_not_known_is_opaque_and_dirty() {
        for statement in [
            "CALL p()",
            "EXECUTE s",
            "XA START 'a'",
            "LOAD DATA INFILE 'x' INTO TABLE a",
            "SELECT 1; SELECT 2",
            "HANDLER a OPEN",
        ] {
            let class = classify(statement);
            assert_eq!(
                (&class.kind, class.guarded, class.dirties),
                (&Kind::Opaque, false, true),
                "{statement}"
            );
        }
        for statement in [
            "SET @x = 1",
            "SET SESSION sql_mode = ''",
            "PREPARE s FROM @x",
            "DEALLOCATE PREPARE s",
            "CREATE TEMPORARY TABLE IF NOT EXISTS a (b INT)",
        ] {
            let class = classify(statement);
            assert_eq!(
                (&class.kind, class.guarded, class.dirties),
                (&Kind::Opaque, true, true),
                "{statement}"
            );
        }
    }

    #[test]
    fn what_a_definition_does_not_show_is_opaque() {
        for statement in [
            "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b",
            "RENAME TABLE a TO t, b TO a, t TO b",
            "TRUNCATE TABLE a",
            "CREATE USER u",
        ] {
            let class = classify(statement);
            assert_eq!(
                (&class.kind, class.guarded),
                (&Kind::Opaque, false),
                "{statement}"
            );
        }
    }

    #[test]
    fn guards_are_seen_where_they_guard_the_whole() {
        assert!(classify("CREATE TABLE IF NOT EXISTS a (b INT)").guarded);
        assert!(classify("CREATE OR REPLACE VIEW v AS SELECT 1").guarded);
        assert!(classify("DROP VIEW IF EXISTS v").guarded);
        assert!(!classify("CREATE TABLE a (b INT)").guarded);
        assert!(
            !classify("ALTER TABLE a ADD COLUMN IF NOT EXISTS b INT, ADD COLUMN c INT").guarded
        );
    }

    #[test]
    fn other_engines_are_seen() {
        assert!(classify("CREATE TABLE a (b INT) ENGINE=MyISAM").other_engine);
        assert!(classify("CREATE TABLE a (b INT) ENGINE MyISAM").other_engine);
        assert!(!classify("CREATE TABLE a (b INT) ENGINE = innodb").other_engine);
    }
}
