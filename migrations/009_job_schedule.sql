-- description: What is due by the clock: the last time that each kind of job was put into the queue for
-- verify: SELECT COUNT(*) = 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'job_schedule'

-- Replicas see at the same time that something is due; who moves the row puts the job into the queue.
CREATE TABLE IF NOT EXISTS job_schedule (
    kind      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fired_for DATETIME(6) NOT NULL,
    PRIMARY KEY (kind)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;
