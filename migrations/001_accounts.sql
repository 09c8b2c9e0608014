-- description: Accounts: roles, users, and the hashes of tokens that act for them
-- verify: SELECT COUNT(*) = 3 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ('roles', 'users', 'user_tokens')

CREATE TABLE IF NOT EXISTS roles (
    role_id     TINYINT UNSIGNED NOT NULL,
    name        VARCHAR(32) NOT NULL,
    description VARCHAR(255) NOT NULL,
    PRIMARY KEY (role_id),
    UNIQUE KEY roles_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

-- Names and addresses are told apart by accents and not by case: `josé@` is not `jose@`.
-- All times are UTC.
CREATE TABLE IF NOT EXISTS users (
    user_id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    user_name       VARCHAR(20) COLLATE utf8mb4_0900_as_ci NOT NULL,
    email           VARCHAR(254) COLLATE utf8mb4_0900_as_ci NOT NULL,
    password_hash   VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'PHC string',
    first_name      VARCHAR(50) NOT NULL,
    family_name     VARCHAR(50) NOT NULL,
    orcid           CHAR(19) CHARACTER SET ascii COLLATE ascii_general_ci NULL,
    comment         VARCHAR(250) NOT NULL DEFAULT '',
    role_id         TINYINT UNSIGNED NOT NULL,
    status          ENUM('unconfirmed', 'active', 'disabled') NOT NULL DEFAULT 'unconfirmed',
    session_epoch   INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'sessions of an earlier epoch are revoked',
    terms_agreed_at DATETIME(6) NULL,
    confirmed_at    DATETIME(6) NULL,
    created_at      DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (user_id),
    UNIQUE KEY users_user_name (user_name),
    UNIQUE KEY users_email (email),
    UNIQUE KEY users_orcid (orcid),
    KEY users_role (role_id, user_id),
    KEY users_status (status, created_at, user_id),
    CONSTRAINT users_role FOREIGN KEY (role_id) REFERENCES roles (role_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

-- A token itself is never stored: who can read this table cannot act for anyone.
CREATE TABLE IF NOT EXISTS user_tokens (
    token_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the token',
    user_id    BIGINT UNSIGNED NOT NULL,
    purpose    ENUM('confirm_email', 'reset_password', 'refresh', 'script') NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    expires_at DATETIME(6) NOT NULL,
    used_at    DATETIME(6) NULL COMMENT 'a token is good for one use, scripts apart',
    PRIMARY KEY (token_hash),
    KEY user_tokens_user (user_id, purpose, expires_at),
    KEY user_tokens_expiry (expires_at),
    CONSTRAINT user_tokens_user FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
