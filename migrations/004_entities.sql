-- description: Entities: a gene, a disease and a mode of inheritance with the evidence that they belong together
-- verify: SELECT COUNT(*) = 5 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ('genes', 'diseases', 'inheritance_modes', 'evidence_categories', 'entities')

CREATE TABLE IF NOT EXISTS genes (
    gene_id  INT UNSIGNED NOT NULL AUTO_INCREMENT,
    hgnc_id  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL COMMENT 'as HGNC:1234',
    symbol   VARCHAR(32) NOT NULL,
    name     VARCHAR(255) NOT NULL,
    PRIMARY KEY (gene_id),
    UNIQUE KEY genes_hgnc_id (hgnc_id),
    UNIQUE KEY genes_symbol (symbol)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE IF NOT EXISTS diseases (
    disease_id  INT UNSIGNED NOT NULL AUTO_INCREMENT,
    ontology_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL COMMENT 'as OMIM:123456 or MONDO:0001234',
    name        VARCHAR(255) NOT NULL,
    PRIMARY KEY (disease_id),
    UNIQUE KEY diseases_ontology_id (ontology_id),
    KEY diseases_name (name, disease_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE IF NOT EXISTS inheritance_modes (
    inheritance_id TINYINT UNSIGNED NOT NULL,
    hpo_id         CHAR(10) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL COMMENT 'as HP:0000006',
    name           VARCHAR(64) NOT NULL,
    PRIMARY KEY (inheritance_id),
    UNIQUE KEY inheritance_modes_hpo_id (hpo_id),
    UNIQUE KEY inheritance_modes_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

-- The identifiers are in the order of strength, so that sorting by them sorts by evidence.
CREATE TABLE IF NOT EXISTS evidence_categories (
    category_id TINYINT UNSIGNED NOT NULL,
    name        VARCHAR(32) NOT NULL,
    PRIMARY KEY (category_id),
    UNIQUE KEY evidence_categories_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

-- Pages follow a cursor of (sorted column, entity_id). Every index ends in entity_id, as InnoDB
-- appends the primary key to each, so that a page is a range of one index and is never sorted.
-- Sorted by gene or disease, the page begins at that table's name and comes here by its key.
CREATE TABLE IF NOT EXISTS entities (
    entity_id      INT UNSIGNED NOT NULL AUTO_INCREMENT,
    gene_id        INT UNSIGNED NOT NULL,
    disease_id     INT UNSIGNED NOT NULL,
    inheritance_id TINYINT UNSIGNED NOT NULL,
    category_id    TINYINT UNSIGNED NOT NULL,
    ndd_phenotype  BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'neurodevelopmental disorder is part of the phenotype',
    synopsis       TEXT NULL,
    entered_on     DATE NOT NULL,
    updated_at     DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (entity_id),
    UNIQUE KEY entities_identity (gene_id, disease_id, inheritance_id),
    KEY entities_gene (gene_id, entity_id),
    KEY entities_disease (disease_id, entity_id),
    KEY entities_inheritance (inheritance_id, entity_id),
    KEY entities_category (category_id, entity_id),
    KEY entities_category_inheritance (category_id, inheritance_id, entity_id),
    KEY entities_entered_on (entered_on, entity_id),
    CONSTRAINT entities_gene FOREIGN KEY (gene_id) REFERENCES genes (gene_id),
    CONSTRAINT entities_disease FOREIGN KEY (disease_id) REFERENCES diseases (disease_id),
    CONSTRAINT entities_inheritance FOREIGN KEY (inheritance_id) REFERENCES inheritance_modes (inheritance_id),
    CONSTRAINT entities_category FOREIGN KEY (category_id) REFERENCES evidence_categories (category_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
