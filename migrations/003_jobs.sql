-- description: Background jobs with leases, fencing tokens and de-duplication
-- verify: SELECT COUNT(*) = 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'jobs'

-- A worker claims a job by SELECT … FOR UPDATE SKIP LOCKED, raises `fence`, and writes only under
-- the fence it got: what a worker writes after its lease went to another one has no effect.
CREATE TABLE IF NOT EXISTS jobs (
    job_id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    kind             VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    payload          JSON NOT NULL,
    status           ENUM('queued', 'running', 'succeeded', 'failed', 'cancelled') NOT NULL DEFAULT 'queued',
    priority         TINYINT NOT NULL DEFAULT 0 COMMENT 'lower runs first',
    run_after        DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    attempts         SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    max_attempts     SMALLINT UNSIGNED NOT NULL DEFAULT 5,
    lease_owner      VARCHAR(128) NULL COMMENT 'replica that runs it',
    lease_until      DATETIME(6) NULL,
    fence            BIGINT UNSIGNED NOT NULL DEFAULT 0,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    dedup_key        VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- At most one queued or running job a key; finished ones do not count.
    live_dedup_key   VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin
                     GENERATED ALWAYS AS (IF(status IN ('queued', 'running'), dedup_key, NULL)) STORED,
    step             VARCHAR(128) NULL,
    progress_current INT UNSIGNED NULL,
    progress_total   INT UNSIGNED NULL,
    result           JSON NULL,
    error_code       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    error_message    VARCHAR(1000) NULL,
    created_by       BIGINT UNSIGNED NULL,
    created_at       DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    started_at       DATETIME(6) NULL,
    finished_at      DATETIME(6) NULL,
    PRIMARY KEY (job_id),
    UNIQUE KEY jobs_live_dedup_key (live_dedup_key),
    KEY jobs_claim (status, priority, run_after, job_id),
    KEY jobs_lease (status, lease_until),
    KEY jobs_kind (kind, job_id),
    KEY jobs_finished (finished_at),
    KEY jobs_created_by (created_by, job_id),
    CONSTRAINT jobs_created_by FOREIGN KEY (created_by) REFERENCES users (user_id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
