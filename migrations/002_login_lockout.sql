-- description: Count failed logins and lock an account for a while, on all replicas alike
-- resume: rerun
-- verify: SELECT COUNT(*) = 2 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name IN ('failed_logins', 'locked_until')

-- MySQL has no ADD COLUMN IF NOT EXISTS. Each column is looked for on its own, so that this file
-- can run again after it was cut off at any point.
DROP PROCEDURE IF EXISTS add_login_lockout;

DELIMITER //
CREATE PROCEDURE add_login_lockout()
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'failed_logins'
    ) THEN
        ALTER TABLE users ADD COLUMN failed_logins SMALLINT UNSIGNED NOT NULL DEFAULT 0 AFTER session_epoch;
    END IF;

    IF NOT EXISTS (
        SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'locked_until'
    ) THEN
        ALTER TABLE users ADD COLUMN locked_until DATETIME(6) NULL AFTER failed_logins;
    END IF;
END //
DELIMITER ;

CALL add_login_lockout();

DROP PROCEDURE IF EXISTS add_login_lockout;
