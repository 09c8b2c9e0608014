//! What kind of statement one is, as far as carrying on after a crash depends on it. Pure.
//!
//! Whatever is not known for certain is `Opaque` and leaves the session dirty: a wrong guess in
//! that direction costs a question to a person, in the other it costs data.

#[cfg(test)]
mod tests;

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

/// What a statement has to do with the session it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// Nothing.
    Clean,
    /// It reads what an earlier statement left there, such as `LAST_INSERT_ID()`.
    Reads,
    /// Later statements may depend on what it leaves there.
    Dirties,
}

/// What is known of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) kind: Kind,
    /// Whether running it twice is running it once: `IF NOT EXISTS`, `OR REPLACE`, or a statement
    /// that only prepares the session.
    pub(crate) guarded: bool,
    pub(crate) session: Session,
    /// Whether it names a storage engine other than `InnoDB`.
    pub(crate) other_engine: bool,
    /// Whether it makes an object that then exists: `CREATE`.
    pub(crate) creates: bool,
}

impl Class {
    fn opaque(guarded: bool, session: Session) -> Self {
        Self {
            kind: Kind::Opaque,
            guarded,
            session,
            other_engine: false,
            creates: false,
        }
    }

    fn clean(kind: Kind, guarded: bool) -> Self {
        Self {
            kind,
            guarded,
            session: Session::Clean,
            other_engine: false,
            creates: false,
        }
    }

    pub(crate) fn dirties(&self) -> bool {
        self.session == Session::Dirties
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
        return Class::opaque(true, Session::Clean);
    };
    if let Some(class) = compound(&tokens) {
        return Class {
            creates: true,
            ..class
        };
    }
    if tokens[..tokens.len() - 1].contains(&Token::Mark(b';')) {
        // Several statements under another delimiter: which of them ran cannot be told.
        return Class::opaque(false, Session::Dirties);
    }
    let variables = tokens
        .iter()
        .any(|token| matches!(token, Token::UserVariable | Token::SystemVariable));
    if variables && !first.is("SET") && !first.is("PREPARE") {
        // `SELECT ... INTO @x` only fills the session; rows may change as well in anything else.
        let only_reads = first.is("SELECT") && !has("OUTFILE") && !has("DUMPFILE");
        return Class::opaque(only_reads, Session::Dirties);
    }
    let mut class = by_keyword(first, &tokens, &has);
    if class.kind == Kind::Rows && SESSION_FUNCTIONS.iter().any(|function| has(function)) {
        class.session = Session::Reads;
    }
    class.other_engine = names_other_engine(&tokens);
    class.creates = first.is("CREATE");
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
            Class::opaque(false, Session::Clean)
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
        return Class::opaque(!lasting, Session::Dirties);
    }
    if is(&["PREPARE", "DEALLOCATE", "USE", "LOCK", "UNLOCK"]) {
        return Class::opaque(true, Session::Dirties);
    }
    if is(&[
        "GRANT", "REVOKE", "TRUNCATE", "ANALYZE", "OPTIMIZE", "FLUSH", "REPAIR", "CHECK",
        "CHECKSUM",
    ]) {
        // These touch nothing in the session. Granting or analysing twice is granting once.
        return Class::opaque(!is(&["TRUNCATE", "REPAIR"]), Session::Clean);
    }
    Class::opaque(false, Session::Dirties)
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
            return Some(Class::opaque(false, Session::Dirties));
        }
    }
    let name = at + 1 + exists_clause(&tokens[at + 1..]);
    Some(match object(kind, &tokens[name..]) {
        Some((object, _)) => Class::clean(Kind::Definition(vec![object]), guarded),
        None => Class::opaque(guarded, Session::Clean),
    })
}

fn definition(first: &Token, tokens: &[Token], has: &impl Fn(&str) -> bool) -> Class {
    if tokens.iter().take(4).any(|token| token.is("TEMPORARY")) {
        return Class::opaque(exists_clause_anywhere(tokens), Session::Dirties);
    }
    let guarded = exists_clause_anywhere(tokens)
        || (first.is("CREATE") && tokens.get(1).is_some_and(|token| token.is("OR")));
    let unseen = first.is("ALTER") && INVISIBLE.iter().any(|word| has(word));
    match targets(first, tokens) {
        Some(objects) if !unseen && !repeats(&objects) => {
            Class::clean(Kind::Definition(objects), guarded)
        }
        _ => Class::opaque(guarded, Session::Clean),
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
                rest = &rest[1..];
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
