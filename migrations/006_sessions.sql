-- description: Sessions as rows, which any replica checks and which end everywhere at once; labels for the tokens of scripts
-- verify: SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'sessions') + (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'user_tokens' AND column_name = 'label') = 2

CREATE TABLE IF NOT EXISTS sessions (
    session_id    BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    token_hash    BINARY(32) NOT NULL COMMENT 'SHA-256 of the token',
    previous_hash BINARY(32) NULL COMMENT 'of before the last refresh; good for a moment more',
    rotated_at    DATETIME(6) NULL,
    user_id       BIGINT UNSIGNED NOT NULL,
    epoch         INT UNSIGNED NOT NULL COMMENT 'good while it is the session_epoch of the user',
    created_at    DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    expires_at    DATETIME(6) NOT NULL COMMENT 'unless it is refreshed before',
    ends_at       DATETIME(6) NOT NULL COMMENT 'however often it is refreshed',
    PRIMARY KEY (session_id),
    UNIQUE KEY sessions_token_hash (token_hash),
    KEY sessions_previous_hash (previous_hash),
    KEY sessions_user (user_id),
    KEY sessions_expiry (expires_at),
    CONSTRAINT sessions_user FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

-- What its owner calls a script's token.
ALTER TABLE user_tokens ADD COLUMN label VARCHAR(64) NULL AFTER purpose;

-- How fast an account may change things, at all replicas together.
CREATE TABLE IF NOT EXISTS account_pace (
    user_id BIGINT UNSIGNED NOT NULL,
    due_at  DATETIME(6) NOT NULL COMMENT 'of all changes so far, had they come evenly',
    PRIMARY KEY (user_id),
    CONSTRAINT account_pace_user FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
