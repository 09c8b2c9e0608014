//! `admin seed`: synthetic entities in any number, the same ones for the same seed.
//!
//! They are told by their genes and diseases, whose identifiers begin with `SYNTHETIC:` as no real
//! one does. Only such rows are ever removed.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{Days, NaiveDate};
use clap::ArgGroup;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, TxOpts, Value};

use crate::config::{DatabaseUrl, Source};

/// Rows in one statement and one transaction.
const BATCH: u32 = 1_000;
const MOST: i64 = 10_000_000;

const EXAMPLES: &str = "\
Examples:
  sysndd-api admin seed --rows 1000000          a database that nobody uses yet
  sysndd-api admin seed --rows 5000 --yes       one that has accounts
  sysndd-api admin seed --remove                takes all synthetic rows away again

The database is the one that SYSNDD_DATABASE_URL names; its schema must be up to date.";

/// How many, and whether they come or go.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("what").required(true).args(["rows", "remove"])))]
pub(crate) struct Args {
    /// Entities to make; there must be no synthetic ones yet
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    rows: Option<u32>,
    /// Remove all synthetic entities, genes and diseases; nothing else is touched
    #[arg(long)]
    remove: bool,
    /// What the rows are derived from
    #[arg(long, default_value_t = 1, conflicts_with = "remove")]
    seed: u64,
    /// Also into a database with accounts, where visitors will see them
    #[arg(long, conflicts_with = "remove")]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let url = DatabaseUrl::read(&mut source);
    let url = source.finish(url)?;
    let mut conn = Conn::new(url.opts())
        .await
        .with_context(|| format!("connecting to {url}"))?;
    if let Some(rows) = args.rows {
        check(&mut conn, args.yes)
            .await
            .with_context(|| format!("making entities in {url}"))?;
        fill(&mut conn, Shape::of(rows, args.seed))
            .await
            .with_context(|| {
                format!("making entities in {url}; `sysndd-api admin seed --remove` takes away what was made")
            })?;
        say(&format!("{rows} synthetic entities made in {url}"));
    } else {
        let removed = remove(&mut conn).await.with_context(|| {
            format!("removing synthetic entities from {url}; run it again to go on")
        })?;
        say(&format!("{removed} synthetic entities removed from {url}"));
    }
    conn.disconnect().await?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses where somebody would be surprised.
async fn check(conn: &mut Conn, yes: bool) -> anyhow::Result<()> {
    let synthetic: Option<u8> = conn
        .query_first("SELECT 1 FROM genes WHERE hgnc_id LIKE 'SYNTHETIC:%' LIMIT 1")
        .await
        .context("is the schema up to date? `sysndd-api migrate up` brings it there")?;
    if synthetic.is_some() {
        bail!("there are synthetic ones already; `sysndd-api admin seed --remove` takes them away");
    }
    // Where there are accounts, somebody works here. What is made can be removed without a trace,
    // but until then every visitor sees it.
    let accounts: Option<u8> = conn.query_first("SELECT 1 FROM users LIMIT 1").await?;
    if accounts.is_some() && !yes {
        bail!("it has accounts, and who visits it would see them; say --yes if that is meant");
    }
    Ok(())
}

/// Which rows there are to be; pure.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: u32,
    genes: u32,
    diseases: u32,
    seed: u64,
}

/// One entity, by the numbers of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    gene: u32,
    disease: u32,
    inheritance_id: u8,
    category_id: u8,
    ndd_phenotype: bool,
    entered_on: NaiveDate,
}

impl Shape {
    fn of(rows: u32, seed: u64) -> Self {
        // As many of each as there are in the world, where the rows are enough for it.
        let genes = (rows / 50).clamp(1, 20_000);
        let each = rows.div_ceil(genes);
        let diseases = (rows / 100).clamp(1, 10_000).max(each);
        Self {
            rows,
            genes,
            diseases,
            seed,
        }
    }

    /// A gene meets a disease at most once: its n-th entity has the n-th disease from a place of
    /// its own.
    fn entity(&self, number: u32) -> Made {
        let random = mix(self.seed ^ (u64::from(number) << 20));
        let (gene, nth) = (number % self.genes, number / self.genes);
        let first = mix(self.seed ^ u64::from(gene)) % u64::from(self.diseases);
        let disease = (first + u64::from(nth)) % u64::from(self.diseases);
        let days = (random >> 40) % 5_500;
        Made {
            gene,
            disease: u32::try_from(disease).unwrap_or_default(),
            inheritance_id: pick(
                random & 0x3ff,
                &[
                    (450, 1),
                    (850, 2),
                    (890, 3),
                    (950, 4),
                    (990, 5),
                    (1005, 6),
                    (1015, 7),
                    (1017, 8),
                    (1024, 9),
                ],
            ),
            category_id: pick(
                (random >> 10) & 0x3ff,
                &[(560, 1), (730, 2), (990, 3), (1024, 4)],
            ),
            ndd_phenotype: !(random >> 20).is_multiple_of(10),
            entered_on: NaiveDate::default() + Days::new(14_600 + days),
        }
    }
}

/// The first whose bound is above the number.
fn pick(number: u64, bounds: &[(u64, u8)]) -> u8 {
    bounds
        .iter()
        .find(|(bound, _)| number < *bound)
        .map_or(1, |(_, id)| *id)
}

/// `SplitMix64`: all bits depend on all bits.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The name under which a number is sorted, which is not its own order.
fn scrambled(number: u32) -> u64 {
    mix(u64::from(number)) % 100_000
}

fn gene_symbol(number: u32) -> String {
    format!("SYNTHETIC{:05}-{number}", scrambled(number))
}

fn disease_name(number: u32) -> String {
    format!("Synthetic disorder {:05}-{number}", scrambled(number))
}

/// Makes this many, the same for the same seed.
#[cfg(test)]
pub(crate) async fn make(conn: &mut Conn, rows: u32, seed: u64) -> anyhow::Result<()> {
    fill(conn, Shape::of(rows, seed)).await
}

async fn fill(conn: &mut Conn, shape: Shape) -> anyhow::Result<()> {
    let genes = (0..shape.genes).map(|number| {
        vec![
            format!("SYNTHETIC:{number}").into(),
            gene_symbol(number).into(),
            format!("synthetic gene {number}").into(),
        ]
    });
    insert(
        conn,
        "INSERT INTO genes (hgnc_id, symbol, name) VALUES",
        genes,
        |_| {},
    )
    .await?;
    let diseases = (0..shape.diseases).map(|number| {
        vec![
            format!("SYNTHETIC:{number}").into(),
            disease_name(number).into(),
        ]
    });
    insert(
        conn,
        "INSERT INTO diseases (ontology_id, name) VALUES",
        diseases,
        |_| {},
    )
    .await?;
    let genes = ids(conn, "SELECT CAST(SUBSTRING(hgnc_id, 11) AS UNSIGNED), gene_id FROM genes WHERE hgnc_id LIKE 'SYNTHETIC:%'").await?;
    let diseases = ids(conn, "SELECT CAST(SUBSTRING(ontology_id, 11) AS UNSIGNED), disease_id FROM diseases WHERE ontology_id LIKE 'SYNTHETIC:%'").await?;
    let id = |ids: &[u32], number: u32| ids.get(number as usize).copied().unwrap_or_default();
    let entities = (0..shape.rows).map(|number| {
        let made = shape.entity(number);
        vec![
            id(&genes, made.gene).into(),
            gene_symbol(made.gene).into(),
            id(&diseases, made.disease).into(),
            disease_name(made.disease).into(),
            made.inheritance_id.into(),
            made.category_id.into(),
            made.ndd_phenotype.into(),
            made.entered_on.into(),
        ]
    });
    let progress = |done: u32| {
        if done.is_multiple_of(BATCH * 50) {
            say(&format!("{done} of {} entities", shape.rows));
        }
    };
    let columns = "INSERT INTO entities (gene_id, gene_symbol, disease_id, disease_name, inheritance_id, category_id, ndd_phenotype, entered_on) VALUES";
    insert(conn, columns, entities, progress).await?;
    conn.query_drop("ANALYZE TABLE genes, diseases, entities")
        .await?;
    Ok(())
}

/// Inserts rows, a batch in a transaction; tells after each how many are there.
async fn insert(
    conn: &mut Conn,
    statement: &str,
    mut rows: impl Iterator<Item = Vec<Value>>,
    progress: impl Fn(u32),
) -> anyhow::Result<()> {
    let mut done = 0;
    loop {
        let batch: Vec<_> = rows.by_ref().take(BATCH as usize).collect();
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let row = format!("({})", vec!["?"; first.len()].join(", "));
        let sql = format!("{statement} {}", vec![row; batch.len()].join(", "));
        done += u32::try_from(batch.len()).unwrap_or_default();
        let values = batch.into_iter().flatten().collect();
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        transaction
            .exec_drop(sql, Params::Positional(values))
            .await?;
        transaction.commit().await?;
        progress(done);
    }
}

/// The keys of what was made, in the order of its numbers.
async fn ids(conn: &mut Conn, query: &str) -> anyhow::Result<Vec<u32>> {
    let mut pairs: Vec<(u32, u32)> = conn.query(query).await?;
    pairs.sort_unstable();
    Ok(pairs.into_iter().map(|(_, id)| id).collect())
}

/// Removes the entities of synthetic genes, a gene's worth at a time, and then what they named. An
/// entity that somebody gave a synthetic disease keeps that disease.
async fn remove(conn: &mut Conn) -> anyhow::Result<u64> {
    let genes: Vec<u32> = conn
        .query("SELECT gene_id FROM genes WHERE hgnc_id LIKE 'SYNTHETIC:%'")
        .await?;
    let mut removed = 0;
    for genes in genes.chunks(100) {
        let marks = vec!["?"; genes.len()].join(", ");
        let values = || Params::Positional(genes.iter().map(|id| (*id).into()).collect());
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        transaction
            .exec_drop(
                format!("DELETE FROM entities WHERE gene_id IN ({marks})"),
                values(),
            )
            .await?;
        removed += transaction.affected_rows();
        transaction
            .exec_drop(
                format!("DELETE FROM genes WHERE gene_id IN ({marks})"),
                values(),
            )
            .await?;
        transaction.commit().await?;
        say(&format!("{removed} entities removed"));
    }
    conn.query_drop(
        "DELETE FROM diseases WHERE ontology_id LIKE 'SYNTHETIC:%' \
         AND NOT EXISTS (SELECT 1 FROM entities WHERE entities.disease_id = diseases.disease_id)",
    )
    .await?;
    Ok(removed)
}

/// Progress, for people.
fn say(line: &str) {
    // Nothing is left to try when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_rows_and_none_twice() {
        for rows in [1, 7, 1_000, 50_001] {
            let shape = Shape::of(rows, 1);
            let made: Vec<_> = (0..rows).map(|number| shape.entity(number)).collect();
            let again: Vec<_> = (0..rows)
                .map(|number| Shape::of(rows, 1).entity(number))
                .collect();
            assert_eq!(made, again);
            let identities: HashSet<_> = made
                .iter()
                .map(|made| (made.gene, made.disease, made.inheritance_id))
                .collect();
            assert_eq!(identities.len(), made.len(), "{rows}");
            assert!(
                made.iter()
                    .all(|made| made.gene < shape.genes && made.disease < shape.diseases)
            );
        }
        let (one, other) = (Shape::of(1_000, 1), Shape::of(1_000, 2));
        assert!((0..1_000).any(|number| one.entity(number) != other.entity(number)));
    }

    #[test]
    fn every_category_and_inheritance_occurs() {
        let shape = Shape::of(20_000, 1);
        let made: Vec<_> = (0..20_000).map(|number| shape.entity(number)).collect();
        assert_eq!(
            made.iter()
                .map(|made| made.category_id)
                .collect::<HashSet<_>>()
                .len(),
            4
        );
        assert_eq!(
            made.iter()
                .map(|made| made.inheritance_id)
                .collect::<HashSet<_>>()
                .len(),
            9
        );
    }
}
