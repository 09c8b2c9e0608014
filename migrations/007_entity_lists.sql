-- description: Lists of entities by any order and filter from an index: the names they are sorted by, and the indexes
-- compat: backward
-- verify: SELECT COUNT(DISTINCT index_name) = 7 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'entities' AND (index_name LIKE 'entities\_category\_%' OR index_name LIKE 'entities\_inheritance\_%')

-- A page sorted by gene or disease comes from one index only when the name stands in the table
-- itself. It is not kept there by hand: the foreign keys demand that it is the name, and carry a
-- renaming over.
ALTER TABLE genes ADD UNIQUE KEY genes_id_symbol (gene_id, symbol);

ALTER TABLE diseases ADD UNIQUE KEY diseases_id_name (disease_id, name);

ALTER TABLE entities
    ADD COLUMN gene_symbol VARCHAR(32) NULL AFTER gene_id,
    ADD COLUMN disease_name VARCHAR(255) NULL AFTER disease_id;

UPDATE entities
JOIN genes USING (gene_id)
JOIN diseases USING (disease_id)
SET entities.gene_symbol = genes.symbol, entities.disease_name = diseases.name
WHERE entities.gene_symbol IS NULL OR entities.disease_name IS NULL;

ALTER TABLE entities
    MODIFY gene_symbol VARCHAR(32) NOT NULL COMMENT 'genes.symbol',
    MODIFY disease_name VARCHAR(255) NOT NULL COMMENT 'diseases.name';

-- Behind the columns of filter and order come small ones that other filters ask for: they are
-- checked in the index. The statements name their index (api/src/http/entities/plan.rs).
ALTER TABLE entities
    ADD KEY entities_gene_id_symbol (gene_id, gene_symbol),
    ADD KEY entities_disease_id_name (disease_id, disease_name),
    ADD KEY entities_gene_symbol (gene_symbol, entity_id),
    ADD KEY entities_disease_name (disease_name, entity_id),
    ADD KEY entities_category_gene (category_id, gene_symbol, entity_id, ndd_phenotype),
    ADD KEY entities_category_disease (category_id, disease_name, entity_id, ndd_phenotype),
    ADD KEY entities_category_entered_on (category_id, entered_on, entity_id, ndd_phenotype),
    ADD KEY entities_inheritance_category (inheritance_id, category_id, entity_id, ndd_phenotype),
    ADD KEY entities_inheritance_gene (inheritance_id, gene_symbol, entity_id, category_id, ndd_phenotype),
    ADD KEY entities_inheritance_disease (inheritance_id, disease_name, entity_id, category_id, ndd_phenotype),
    ADD KEY entities_inheritance_entered_on (inheritance_id, entered_on, entity_id, category_id, ndd_phenotype);

ALTER TABLE entities
    ADD CONSTRAINT entities_gene_symbol FOREIGN KEY (gene_id, gene_symbol) REFERENCES genes (gene_id, symbol) ON UPDATE CASCADE,
    ADD CONSTRAINT entities_disease_name FOREIGN KEY (disease_id, disease_name) REFERENCES diseases (disease_id, name) ON UPDATE CASCADE;

-- Their columns begin, in the same order, an index of above; the constraints are contained in the new ones.
ALTER TABLE entities
    DROP FOREIGN KEY entities_gene,
    DROP FOREIGN KEY entities_disease,
    DROP KEY entities_gene,
    DROP KEY entities_disease,
    DROP KEY entities_category_inheritance;
