//! From a question to a statement. Pure: what is here touches no database.
//!
//! There are three ways to a page. **Walk**: go along an index that is in the order of the list, and
//! take what fits the filters until the page is full. **Gather**: what names a gene, a disease or
//! the beginning of a name leaves so few rows that they are all read, and sorted in memory.
//! **Halves**: of a beginning, the genes are walked and the few diseases gathered, or the other way
//! round. Which one is cheapest depends on how many rows that is, which is counted first, up to
//! [`FEW`].
//!
//! A walk may still go far before the page is full, so statements end after a time.
//!
//! The index of each way is named in the statement: with a limit, the server's own choice changes
//! with its statistics, and the wrong one reads a million rows.

use std::time::Duration;

use mysql_async::Value;

use super::cursor::Cursor;
use super::params::{ListParams, Order, Sort};

/// Up to this many rows are read and sorted for one page.
pub(super) const FEW: u32 = 2_000;

/// What names a gene, a disease or the beginning of a name; resolved as far as tables are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrow {
    /// The gene of this symbol.
    Gene(String),
    /// The disease of this number.
    Disease(u32),
    /// Diseases whose names begin so.
    DiseaseName(String),
    /// Genes or diseases whose names begin so.
    Beginning(String),
}

impl Narrow {
    /// The condition that its rows fulfil.
    fn condition(&self, values: &mut Vec<Value>) -> &'static str {
        match self {
            Self::Gene(symbol) => {
                values.push(symbol.as_str().into());
                "e.gene_symbol = ?"
            }
            Self::Disease(id) => {
                values.push((*id).into());
                "e.disease_id = ?"
            }
            Self::DiseaseName(text) => {
                values.push(beginning(text).into());
                "e.disease_name LIKE ?"
            }
            Self::Beginning(text) => {
                values.push(beginning(text).into());
                values.push(beginning(text).into());
                "(e.gene_symbol LIKE ? OR e.disease_name LIKE ?)"
            }
        }
    }

    /// The index that leads to its rows; of a beginning, to half of them.
    fn index(&self) -> &'static str {
        match self {
            Self::Gene(_) | Self::Beginning(_) => "entities_gene_symbol",
            Self::Disease(_) => "entities_disease_id_name",
            Self::DiseaseName(_) => "entities_disease_name",
        }
    }
}

/// A pattern for `LIKE` that takes the text as it is.
fn beginning(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A statement and its values.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Statement {
    /// The server itself ends it after this time: it does not hear that nobody waits any more.
    pub(super) fn within(self, limit: Duration) -> Self {
        let rest = self.sql.strip_prefix("SELECT").unwrap_or(&self.sql);
        let sql = format!(
            "SELECT /*+ MAX_EXECUTION_TIME({}) */{rest}",
            limit.as_millis().max(1)
        );
        Self { sql, ..self }
    }
}

/// How many rows a filter leaves, none above [`FEW`] + 1: of a beginning those by their genes and
/// those by their diseases, of all else the second is 0.
pub(super) fn probe(narrow: &Narrow) -> Statement {
    let few = FEW + 1;
    let mut values = Vec::new();
    let part = |condition: &str, index: &str| {
        format!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM entities e FORCE INDEX ({index}) WHERE {condition} LIMIT {few}) counted)"
        )
    };
    let condition = narrow.condition(&mut values);
    let sql = match narrow {
        // Each half has an index of its own; a row in both is counted twice, which harms nobody.
        Narrow::Beginning(_) => format!(
            "SELECT {}, {}",
            part("e.gene_symbol LIKE ?", "entities_gene_symbol"),
            part("e.disease_name LIKE ?", "entities_disease_name")
        ),
        _ => format!("SELECT {}, 0", part(condition, narrow.index())),
    };
    Statement { sql, values }
}

/// How a page is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Along the index of the order.
    Walk,
    /// From the few rows of the first narrow filter.
    Gather,
    /// What begins so by the name that the list is sorted by, along the index of the order, and
    /// the few rows that do by the other.
    Halves,
}

impl Way {
    /// The cheapest, by what [`probe`] says of the first narrow filter.
    pub(super) fn to(params: &ListParams, narrow: &[Narrow], (one, other): (u64, u64)) -> Self {
        let few = u64::from(FEW);
        match (narrow, effective_sort(params)) {
            ([_, ..], _) if one + other <= few => Self::Gather,
            ([Narrow::Beginning(_), ..], Sort::Gene) if other <= few => Self::Halves,
            ([Narrow::Beginning(_), ..], Sort::Disease) if one <= few => Self::Halves,
            _ => Self::Walk,
        }
    }
}

const COLUMNS: &str = "e.entity_id, g.hgnc_id, e.gene_symbol, g.name, d.ontology_id, e.disease_name, \
                       i.hpo_id, i.name, c.name, e.ndd_phenotype, e.synopsis, e.entered_on";
const JOINS: &str = "JOIN genes g ON g.gene_id = e.gene_id \
                     JOIN diseases d ON d.disease_id = e.disease_id \
                     JOIN inheritance_modes i ON i.inheritance_id = e.inheritance_id \
                     JOIN evidence_categories c ON c.category_id = e.category_id";

/// One entity.
pub(super) fn one(entity_id: u32) -> Statement {
    Statement {
        sql: format!("SELECT {COLUMNS} FROM entities e {JOINS} WHERE e.entity_id = ?"),
        values: vec![entity_id.into()],
    }
}

/// One page and, to know whether there is another, one row more. Rows come in the order of the
/// walk: backward from a cursor is against the order of the list.
pub(super) fn page(
    params: &ListParams,
    narrow: &[Narrow],
    way: Way,
    cursor: Option<&Cursor>,
) -> Statement {
    let mut values = Vec::new();
    let (rows, narrow) = rows(params, narrow, way, cursor, &mut values);
    let mut conditions = filters(params, narrow, &mut values);
    conditions.extend(beyond(params, cursor, &mut values));
    let (conditions, by) = (all(&conditions), order_by(params, cursor));
    let limit = params.limit() + 1;
    let sql = format!(
        "SELECT STRAIGHT_JOIN {COLUMNS} FROM {rows} {JOINS}{conditions} ORDER BY {by} LIMIT {limit}"
    );
    Statement { sql, values }
}

/// The order of the walk.
fn direction(params: &ListParams, cursor: Option<&Cursor>) -> Order {
    match cursor {
        Some(cursor) if cursor.backward => params.order.reversed(),
        _ => params.order,
    }
}

fn order_by(params: &ListParams, cursor: Option<&Cursor>) -> String {
    let direction = match direction(params, cursor) {
        Order::Asc => "ASC",
        Order::Desc => "DESC",
    };
    match effective_sort(params) {
        Sort::EntityId => format!("e.entity_id {direction}"),
        sort => format!("{} {direction}, e.entity_id {direction}", column(sort)),
    }
}

/// What lies behind the place where the page before ended.
fn beyond(params: &ListParams, cursor: Option<&Cursor>, values: &mut Vec<Value>) -> Option<String> {
    let (sort, place) = (effective_sort(params), cursor?);
    let beyond = match direction(params, cursor) {
        Order::Asc => ">",
        Order::Desc => "<",
    };
    match &place.key {
        Some(key) if sort != Sort::EntityId => {
            let (column, key) = (column(sort), key_value(sort, key));
            values.extend([key.clone(), key, place.entity_id.into()]);
            Some(format!(
                "({column} {beyond} ? OR ({column} = ? AND e.entity_id {beyond} ?))"
            ))
        }
        _ => {
            values.push(place.entity_id.into());
            Some(format!("e.entity_id {beyond} ?"))
        }
    }
}

/// How many entities the filters leave, where the first narrow one leaves few.
pub(super) fn count_few(params: &ListParams, narrow: &[Narrow]) -> Option<Statement> {
    narrow.first()?;
    let mut values = Vec::new();
    let (rows, narrow) = rows(params, narrow, Way::Gather, None, &mut values);
    let conditions = all(&filters(params, narrow, &mut values));
    let sql = format!("SELECT STRAIGHT_JOIN COUNT(*) FROM {rows}{conditions}");
    Some(Statement { sql, values })
}

/// Where the rows come from, and the filters that this leaves to be checked.
fn rows<'a>(
    params: &ListParams,
    narrow: &'a [Narrow],
    way: Way,
    cursor: Option<&Cursor>,
    values: &mut Vec<Value>,
) -> (String, &'a [Narrow]) {
    const GENES: &str = "SELECT entity_id FROM entities FORCE INDEX (entities_gene_symbol) WHERE gene_symbol LIKE ?";
    const DISEASES: &str = "SELECT entity_id FROM entities FORCE INDEX (entities_disease_name) WHERE disease_name LIKE ?";
    match (way, narrow) {
        // Two indexes lead to them. Each is read by itself: left to choose for an `OR`, the server
        // may go through the whole table.
        (Way::Gather, [Narrow::Beginning(text), rest @ ..]) => {
            values.extend([beginning(text).into(), beginning(text).into()]);
            (found(GENES, DISEASES), rest)
        }
        // The page holds no more of the first half than it has room for.
        (Way::Halves, [Narrow::Beginning(text), rest @ ..]) => {
            let sort = effective_sort(params);
            values.push(beginning(text).into());
            let mut conditions = vec![format!("{} LIKE ?", column(sort))];
            conditions.extend(filters(params, rest, values));
            conditions.extend(beyond(params, cursor, values));
            let walked = format!(
                "(SELECT e.entity_id FROM entities e FORCE INDEX ({}){} ORDER BY {} LIMIT {})",
                walk_index(params),
                all(&conditions),
                order_by(params, cursor),
                params.limit() + 1
            );
            values.push(beginning(text).into());
            let gathered = if sort == Sort::Gene { DISEASES } else { GENES };
            (found(&walked, gathered), rest)
        }
        (Way::Gather, [first, ..]) => {
            let index = first.index();
            (format!("entities e FORCE INDEX ({index})"), narrow)
        }
        _ => {
            let index = walk_index(params);
            (format!("entities e FORCE INDEX ({index})"), narrow)
        }
    }
}

/// The entities whose numbers either of two statements answers.
fn found(one: &str, other: &str) -> String {
    format!("({one} UNION {other}) found JOIN entities e ON e.entity_id = found.entity_id")
}

fn filters(params: &ListParams, narrow: &[Narrow], values: &mut Vec<Value>) -> Vec<String> {
    let mut conditions = Vec::new();
    for narrow in narrow {
        conditions.push(narrow.condition(values).to_owned());
    }
    if let Some(inheritance) = params.inheritance {
        conditions.push("e.inheritance_id = ?".to_owned());
        values.push(inheritance.id().into());
    }
    if let Some(category) = params.category {
        conditions.push("e.category_id = ?".to_owned());
        values.push(category.id().into());
    }
    if let Some(ndd_phenotype) = params.ndd_phenotype {
        conditions.push("e.ndd_phenotype = ?".to_owned());
        values.push(ndd_phenotype.into());
    }
    conditions
}

fn all(conditions: &[String]) -> String {
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}

/// What the rows are really sorted by: within one category all are alike.
pub(super) fn effective_sort(params: &ListParams) -> Sort {
    if params.sort == Sort::Category && params.category.is_some() {
        Sort::EntityId
    } else {
        params.sort
    }
}

fn column(sort: Sort) -> &'static str {
    match sort {
        Sort::EntityId => "e.entity_id",
        Sort::Gene => "e.gene_symbol",
        Sort::Disease => "e.disease_name",
        Sort::Category => "e.category_id",
        Sort::EnteredOn => "e.entered_on",
    }
}

/// The cursor's text as the column has it.
fn key_value(sort: Sort, key: &str) -> Value {
    match (sort, key.parse::<u8>()) {
        (Sort::Category, Ok(id)) => id.into(),
        _ => key.into(),
    }
}

/// The index in whose order a list with these filters lies.
pub(super) fn walk_index(params: &ListParams) -> &'static str {
    let sort = effective_sort(params);
    match (
        params.inheritance.is_some(),
        params.category.is_some(),
        sort,
    ) {
        (true, true, Sort::EntityId) | (true, _, Sort::Category) => "entities_inheritance_category",
        (true, false, Sort::EntityId) => "entities_inheritance",
        (true, _, Sort::Gene) => "entities_inheritance_gene",
        (true, _, Sort::Disease) => "entities_inheritance_disease",
        (true, _, Sort::EnteredOn) => "entities_inheritance_entered_on",
        (false, true, Sort::EntityId) | (false, _, Sort::Category) => "entities_category",
        (false, true, Sort::Gene) => "entities_category_gene",
        (false, true, Sort::Disease) => "entities_category_disease",
        (false, true, Sort::EnteredOn) => "entities_category_entered_on",
        (false, false, Sort::EntityId) => "PRIMARY",
        (false, false, Sort::Gene) => "entities_gene_symbol",
        (false, false, Sort::Disease) => "entities_disease_name",
        (false, false, Sort::EnteredOn) => "entities_entered_on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_writes_is_a_value_and_no_pattern() {
        assert_eq!(beginning(r"50%_a\b"), r"50\%\_a\\b%");
        let hostile = "x' OR 1=1 -- ";
        let narrow = [
            Narrow::Gene(hostile.into()),
            Narrow::DiseaseName(hostile.into()),
            Narrow::Beginning(hostile.into()),
        ];
        let cursor = Cursor {
            backward: false,
            key: Some(hostile.into()),
            entity_id: 1,
        };
        let params = ListParams {
            sort: Sort::Gene,
            ..ListParams::default()
        };
        for statement in [
            page(&params, &narrow, Way::Gather, Some(&cursor)),
            page(&params, &narrow[2..], Way::Halves, Some(&cursor)),
            probe(&narrow[2]).within(Duration::from_secs(1)),
        ] {
            assert!(!statement.sql.contains("1=1"), "{}", statement.sql);
            assert_eq!(statement.sql.matches('?').count(), statement.values.len());
        }
    }

    #[test]
    fn a_beginning_of_many_names_is_walked_by_the_name_that_the_list_is_sorted_by() {
        let many = u64::from(FEW) + 1;
        let narrow = [Narrow::Beginning("S".into())];
        for (sort, found, way) in [
            (Sort::Gene, (1_000, 1_000), Way::Gather),
            (Sort::Gene, (many, 0), Way::Halves),
            (Sort::Gene, (0, many), Way::Walk),
            (Sort::Disease, (0, many), Way::Halves),
            (Sort::Disease, (many, 0), Way::Walk),
            (Sort::EntityId, (many, 0), Way::Walk),
        ] {
            let params = ListParams {
                sort,
                ..ListParams::default()
            };
            assert_eq!(Way::to(&params, &narrow, found), way, "{sort:?} {found:?}");
        }
        let gene = [Narrow::Gene("S".into())];
        let params = ListParams::default();
        assert_eq!(Way::to(&params, &gene, (many, 0)), Way::Walk);
        assert_eq!(Way::to(&params, &[], (0, 0)), Way::Walk);
    }
}
