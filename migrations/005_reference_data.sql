-- description: Roles, modes of inheritance by their HPO terms, and categories of evidence
-- verify: SELECT (SELECT COUNT(*) FROM roles) >= 4 AND (SELECT COUNT(*) FROM inheritance_modes) >= 9 AND (SELECT COUNT(*) FROM evidence_categories) >= 4

INSERT INTO roles (role_id, name, description) VALUES
    (1, 'Administrator', 'Operates the site: accounts, backups, migrations'),
    (2, 'Curator', 'Decides on entities and on the reviews of others'),
    (3, 'Reviewer', 'Reviews entities'),
    (4, 'Viewer', 'Reads')
AS new ON DUPLICATE KEY UPDATE name = new.name, description = new.description;

INSERT INTO inheritance_modes (inheritance_id, hpo_id, name) VALUES
    (1, 'HP:0000006', 'Autosomal dominant inheritance'),
    (2, 'HP:0000007', 'Autosomal recessive inheritance'),
    (3, 'HP:0001417', 'X-linked inheritance'),
    (4, 'HP:0001419', 'X-linked recessive inheritance'),
    (5, 'HP:0001423', 'X-linked dominant inheritance'),
    (6, 'HP:0001427', 'Mitochondrial inheritance'),
    (7, 'HP:0001428', 'Somatic mutation'),
    (8, 'HP:0001450', 'Y-linked inheritance'),
    (9, 'HP:0003745', 'Sporadic')
AS new ON DUPLICATE KEY UPDATE hpo_id = new.hpo_id, name = new.name;

INSERT INTO evidence_categories (category_id, name) VALUES
    (1, 'Definitive'),
    (2, 'Moderate'),
    (3, 'Limited'),
    (4, 'Refuted')
AS new ON DUPLICATE KEY UPDATE name = new.name;
