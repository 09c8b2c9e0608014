//! What a list of entities can be asked for.

use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// What `q`, `gene` and `disease` may hold at most; longer than any symbol or name.
const LONGEST_TEXT: usize = 255;

/// Filters, order and place of a page.
#[derive(Debug, Clone, Default, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Symbol of the gene
    #[garde(inner(length(bytes, min = 1, max = LONGEST_TEXT)))]
    pub(crate) gene: Option<String>,
    /// Identifier of the disease, such as `OMIM:312750`, or the beginning of its name
    #[garde(inner(length(bytes, min = 1, max = LONGEST_TEXT)))]
    pub(crate) disease: Option<String>,
    /// Beginning of a gene's symbol or of a disease's name
    #[garde(inner(length(bytes, min = 1, max = LONGEST_TEXT)))]
    pub(crate) q: Option<String>,
    /// Mode of inheritance, by its HPO term
    #[garde(skip)]
    #[param(inline)]
    pub(crate) inheritance: Option<Inheritance>,
    /// Strength of the evidence
    #[garde(skip)]
    #[param(inline)]
    pub(crate) category: Option<Category>,
    /// Whether a neurodevelopmental disorder is part of the phenotype
    #[garde(skip)]
    pub(crate) ndd_phenotype: Option<bool>,
    /// What to sort by; what is alike in it comes in the order of `entity_id`
    #[garde(skip)]
    #[param(inline)]
    pub(crate) sort: Sort,
    /// Which way
    #[garde(skip)]
    #[param(inline)]
    pub(crate) order: Order,
    /// Entities on a page, 1 to 100
    #[garde(inner(range(min = 1, max = 100)))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<usize>,
    /// The `next` or `previous` of a page before, with all else unchanged
    #[garde(inner(length(bytes, min = 1, max = 2048)))]
    pub(crate) cursor: Option<String>,
}

impl ListParams {
    /// How many entities a page has at most.
    pub(crate) fn limit(&self) -> usize {
        const DEFAULT: usize = 20;
        self.limit.unwrap_or(DEFAULT)
    }
}

/// What a list can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// The order in which they were made.
    #[default]
    EntityId,
    /// Symbol of the gene.
    Gene,
    /// Name of the disease.
    Disease,
    /// From definitive to refuted.
    Category,
    /// Day of entry.
    EnteredOn,
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The first comes first.
    #[default]
    Asc,
    /// The last comes first.
    Desc,
}

impl Order {
    /// The other way.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }
}

/// Categories of evidence, numbered as in the table `evidence_categories`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[repr(u8)]
pub(crate) enum Category {
    Definitive = 1,
    Moderate = 2,
    Limited = 3,
    Refuted = 4,
}

impl Category {
    pub(crate) const ALL: [Self; 4] = [
        Self::Definitive,
        Self::Moderate,
        Self::Limited,
        Self::Refuted,
    ];

    /// As in the tables.
    pub(crate) fn id(self) -> u8 {
        self as u8
    }
}

/// Modes of inheritance by their HPO terms, numbered as in the table `inheritance_modes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[repr(u8)]
pub(crate) enum Inheritance {
    #[serde(rename = "HP:0000006")]
    AutosomalDominant = 1,
    #[serde(rename = "HP:0000007")]
    AutosomalRecessive = 2,
    #[serde(rename = "HP:0001417")]
    XLinked = 3,
    #[serde(rename = "HP:0001419")]
    XLinkedRecessive = 4,
    #[serde(rename = "HP:0001423")]
    XLinkedDominant = 5,
    #[serde(rename = "HP:0001427")]
    Mitochondrial = 6,
    #[serde(rename = "HP:0001428")]
    Somatic = 7,
    #[serde(rename = "HP:0001450")]
    YLinked = 8,
    #[serde(rename = "HP:0003745")]
    Sporadic = 9,
}

impl Inheritance {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 9] = [
        Self::AutosomalDominant,
        Self::AutosomalRecessive,
        Self::XLinked,
        Self::XLinkedRecessive,
        Self::XLinkedDominant,
        Self::Mitochondrial,
        Self::Somatic,
        Self::YLinked,
        Self::Sporadic,
    ];

    /// As in the tables.
    pub(crate) fn id(self) -> u8 {
        self as u8
    }
}
