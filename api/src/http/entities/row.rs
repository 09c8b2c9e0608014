//! Entities as they are answered, and as they come from the database.

use chrono::NaiveDate;
use mysql_async::Row;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::{Category, Sort};

/// A gene, a disease and a mode of inheritance, with the evidence that they belong together.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "`entity_id` is what the table and other answers call it"
)]
pub(crate) struct Entity {
    pub(crate) entity_id: u32,
    pub(crate) gene: Gene,
    pub(crate) disease: Disease,
    pub(crate) inheritance: InheritanceMode,
    /// Strength of the evidence.
    #[schema(example = "Definitive")]
    pub(crate) category: String,
    /// Whether a neurodevelopmental disorder is part of the phenotype.
    pub(crate) ndd_phenotype: bool,
    pub(crate) synopsis: Option<String>,
    /// Day of entry.
    pub(crate) entered_on: NaiveDate,
}

/// A gene by its HGNC names.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Gene {
    #[schema(example = "HGNC:6990")]
    pub(crate) hgnc_id: String,
    #[schema(example = "MECP2")]
    pub(crate) symbol: String,
    #[schema(example = "methyl-CpG binding protein 2")]
    pub(crate) name: String,
}

/// A disease by its ontology.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Disease {
    #[schema(example = "OMIM:312750")]
    pub(crate) ontology_id: String,
    #[schema(example = "Rett syndrome")]
    pub(crate) name: String,
}

/// A mode of inheritance by its HPO term.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct InheritanceMode {
    #[schema(example = "HP:0001423")]
    pub(crate) hpo_id: String,
    #[schema(example = "X-linked dominant inheritance")]
    pub(crate) name: String,
}

impl Entity {
    /// From the columns that `plan` asks for; none when they are not those.
    pub(super) fn read(row: &Row) -> Option<Self> {
        Some(Self {
            entity_id: row.get_opt(0)?.ok()?,
            gene: Gene {
                hgnc_id: row.get_opt(1)?.ok()?,
                symbol: row.get_opt(2)?.ok()?,
                name: row.get_opt(3)?.ok()?,
            },
            disease: Disease {
                ontology_id: row.get_opt(4)?.ok()?,
                name: row.get_opt(5)?.ok()?,
            },
            inheritance: InheritanceMode {
                hpo_id: row.get_opt(6)?.ok()?,
                name: row.get_opt(7)?.ok()?,
            },
            category: row.get_opt(8)?.ok()?,
            ndd_phenotype: row.get_opt(9)?.ok()?,
            synopsis: row.get_opt(10)?.ok()?,
            entered_on: row.get_opt(11)?.ok()?,
        })
    }

    /// The value by which a list is sorted, for a cursor; none for the identifier.
    pub(super) fn key(&self, sort: Sort) -> Option<String> {
        match sort {
            Sort::EntityId => None,
            Sort::Gene => Some(self.gene.symbol.clone()),
            Sort::Disease => Some(self.disease.name.clone()),
            Sort::Category => Category::ALL
                .into_iter()
                .find(|category| format!("{category:?}") == self.category)
                .map(|category| category.id().to_string()),
            Sort::EnteredOn => Some(self.entered_on.to_string()),
        }
    }
}
