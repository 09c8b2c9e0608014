CREATE TABLE everything (
    id          INT NOT NULL PRIMARY KEY,
    t_bit       BIT(10), t_tiny TINYINT, t_bool BOOLEAN, t_small SMALLINT UNSIGNED, t_medium MEDIUMINT,
    t_big       BIGINT UNSIGNED, t_decimal DECIMAL(30, 10), t_float FLOAT, t_double DOUBLE,
    t_date      DATE, t_time TIME(6), t_datetime DATETIME(6), t_stamp TIMESTAMP(3) NULL, t_year YEAR,
    t_char      CHAR(10), t_varchar VARCHAR(200) COLLATE utf8mb4_0900_as_cs, t_latin VARCHAR(20) CHARACTER SET latin1,
    t_binary    BINARY(4), t_varbinary VARBINARY(300), t_blob BLOB, t_long LONGBLOB, t_text TEXT, t_longtext LONGTEXT,
    t_enum      ENUM('a', 'b''c', 'ü'), t_set SET('x', 'y', 'z'), t_json JSON,
    t_point     POINT SRID 4326, t_geometry GEOMETRY, t_vector VECTOR(3),
    noted       VARCHAR(40) DEFAULT 'by nobody',
    g_stored    VARCHAR(210) GENERATED ALWAYS AS (CONCAT('<', t_varchar, '>')) STORED,
    g_virtual   INT GENERATED ALWAYS AS (id * 2) VIRTUAL,
    hidden      INT INVISIBLE DEFAULT 7,
    upon        VARCHAR(30) DEFAULT (UPPER('by an expression')),
    CHECK (id > 0), UNIQUE KEY by_generated (g_virtual), FULLTEXT KEY words (t_text)
) CHARSET utf8mb4
//
INSERT INTO everything (id, t_bit, t_tiny, t_bool, t_small, t_medium, t_big, t_decimal, t_float, t_double, t_date, t_time,
    t_datetime, t_stamp, t_year, t_char, t_varchar, t_latin, t_binary, t_varbinary, t_blob, t_long, t_text, t_longtext,
    t_enum, t_set, t_json, t_point, t_geometry, t_vector, hidden)
VALUES (1, b'1010101010', -128, TRUE, 65535, -8388608, 18446744073709551615, 12345678901234567890.0123456789, 1.5e-30, 1.7976931348623157e308,
    '9999-12-31', '-838:59:58.123456', '1000-01-01 00:00:00.000001', '2026-03-29 01:30:00.500', 2155, 'c', '👩‍🔬 naïve \'quoted\' \\ \n-- Table structure for table `x`\n\t\0 \Z end', 'Zürich',
    X'00FF0AFE', X'DEADBEEF0027225C', X'00270A1A', RANDOM_BYTES(1000), 'words to find', REPEAT('long ', 50000),
    'b''c', 'x,z', '{"ключ": [1, 2.5, null, "\\u0000"], "e": "👩‍🔬"}', ST_PointFromText('POINT(52.5 13.4)', 4326),
    ST_GeomFromText('LINESTRING(0 0, 1 1)'), STRING_TO_VECTOR('[1, 2.5, -3]'), 42)
//
INSERT INTO everything (id) VALUES (2)
//
INSERT INTO everything (id, t_varchar, t_blob, t_text) VALUES (3, '', '', 'NULL')
//
CREATE TABLE nothing (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT) AUTO_INCREMENT = 4711
//
CREATE TABLE child (id INT PRIMARY KEY, parent INT, CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES everything (id) ON DELETE CASCADE)
//
INSERT INTO child VALUES (1, 1), (2, NULL)
//
CREATE TABLE parted (id INT, at DATE, PRIMARY KEY (id, at)) PARTITION BY RANGE (YEAR(at)) (PARTITION old VALUES LESS THAN (2020), PARTITION rest VALUES LESS THAN MAXVALUE)
//
INSERT INTO parted VALUES (1, '2019-01-01'), (2, '2026-01-01')
//
CREATE TABLE `wëird ``name` (`a``b` INT, `select` INT)
//
INSERT INTO `wëird ``name` VALUES (1, 2)
//
CREATE TRIGGER everything_noted BEFORE INSERT ON everything FOR EACH ROW
BEGIN
    -- What a client that does not know DELIMITER would cut here; it has two statements.
    SET NEW.noted = 'noted by the trigger';
    SET @last_noted = NEW.id;
END
//
CREATE FUNCTION shout_length(what TEXT) RETURNS INT DETERMINISTIC
BEGIN
    DECLARE shouted TEXT DEFAULT CONCAT(UPPER(what), '!');
    RETURN CHAR_LENGTH(shouted);
END
//
CREATE PROCEDURE clear_nothing() MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
    DELETE FROM nothing;
    INSERT INTO nothing (what) VALUES ('🎉');
    DELETE FROM nothing;
END
//
CREATE VIEW everything_view AS SELECT e.id, e.noted, shout_length(e.t_varchar) AS shouted FROM everything e
//
CREATE VIEW a_view_of_a_view AS SELECT COUNT(*) AS how_many FROM everything_view
//
CREATE EVENT far_away ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO
BEGIN
    CALL clear_nothing();
    CALL clear_nothing();
END
