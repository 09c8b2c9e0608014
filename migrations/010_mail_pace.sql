-- description: How many letters strangers may have sent to an address
-- verify: SELECT COUNT(*) = 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'mail_pace'

-- Of every address that somebody gave: it need not belong to an account, and is kept as a hash only.
CREATE TABLE IF NOT EXISTS mail_pace (
    recipient BINARY(32) NOT NULL COMMENT 'SHA-256 of the occasion and the address',
    due_at    DATETIME(6) NOT NULL COMMENT 'of all letters so far, had they been sent evenly',
    PRIMARY KEY (recipient),
    KEY mail_pace_due (due_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
