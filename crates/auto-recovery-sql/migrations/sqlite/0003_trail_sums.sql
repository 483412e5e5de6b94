-- Format 3: every entry says what its trail comes to with it, so that an append writes the entry alone, and
-- not the row of its session too.
--
-- While session.is_counted is 0, that row says of entries only what it said when the first of them that is
-- not counted came. Ask session_now, which says it of all.

DROP VIEW sessions;
DROP VIEW session_statistics;

ALTER TABLE entry ADD COLUMN trail_successes INTEGER; -- NULL, like the next two, in entries of older formats
ALTER TABLE entry ADD COLUMN trail_bytes INTEGER; -- as session.bytes
ALTER TABLE entry ADD COLUMN trail_highest_number INTEGER; -- as session.highest_number

ALTER TABLE session DROP COLUMN next_place; -- it was session.entries
ALTER TABLE session DROP COLUMN ended; -- session_now says it
ALTER TABLE session DROP COLUMN ended_ms;

-- Every session as it is now: its row, and what the last of its entries says where that is newer.
CREATE VIEW session_now AS
SELECT
    *,
    CASE
        WHEN outcome IN ('recovered', 'escalated') THEN outcome
        WHEN outcome IS NULL AND last_succeeded THEN 'recovered'
    END AS ended, -- recovered or escalated, as sums count it: by its outcome, or else by its last entry
    CASE
        WHEN outcome = 'recovered' THEN took_ms
        WHEN outcome IS NULL AND last_succeeded AND (last_us - start_us) / 1000 >= 0
            THEN (last_us - start_us) / 1000
    END AS ended_ms -- after how many milliseconds it was recovered
FROM (
    SELECT
        s.id,
        s.session_id,
        coalesce((e.id & 4294967295) + 1, s.entries) AS entries,
        coalesce(e.trail_successes, s.successes) AS successes,
        coalesce(e.trail_bytes, s.bytes) AS bytes,
        coalesce(e.trail_highest_number, s.highest_number) AS highest_number,
        s.counted,
        s.is_counted,
        s.first_timestamp,
        s.first_us,
        coalesce(e.timestamp, s.last_timestamp) AS last_timestamp,
        CASE WHEN e.id IS NULL THEN s.last_us ELSE e.at_us END AS last_us,
        coalesce(e.success, s.last_succeeded) AS last_succeeded,
        s.first_at,
        s.outcome,
        s.took_ms,
        s.flaky,
        s.category,
        s.source,
        s.project,
        s.host,
        s.start,
        s.start_us
    FROM session s LEFT JOIN entry e ON e.id = CASE s.is_counted WHEN 0 THEN (
        SELECT id FROM entry WHERE id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295
        ORDER BY id DESC LIMIT 1
    ) END
);

-- Every session. Of one that has not ended, only `recover sessions` can say whether it runs.
CREATE VIEW sessions AS
SELECT
    s.session_id,
    s.start AS session_start,
    s.last_timestamp AS last_attempt_timestamp,
    s.entries AS total_attempts,
    s.successes AS successful_attempts,
    coalesce(s.outcome, 'unknown') AS outcome,
    f.command,
    f.cwd,
    s.project,
    s.host,
    f.user,
    f.held,
    s.category,
    s.source,
    s.bytes
FROM session_now s LEFT JOIN session_facts f ON f.session = s.id
WHERE s.entries > 0 OR s.first_at IS NOT NULL;

-- The statistics of every session.
CREATE VIEW session_statistics AS
SELECT
    s.session_id,
    s.start AS session_start,
    s.entries AS total_attempts,
    s.successes AS successful_attempts,
    s.entries - s.successes AS failed_attempts,
    CASE s.entries WHEN 0 THEN 0.0 ELSE round(100.0 * s.successes / s.entries, 2) END AS success_rate,
    coalesce(d.total_ms, 0) / 1000.0 AS total_duration_seconds,
    round(coalesce(d.total_ms / s.entries, 0) / 1000.0, 3) AS average_duration_seconds,
    (
        SELECT count(DISTINCT value) FROM entry, json_each(files_modified)
        WHERE entry.id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295
    ) AS files_modified_count,
    coalesce(d.rollbacks, 0) AS rollback_count,
    s.first_timestamp AS first_attempt_timestamp,
    s.last_timestamp AS last_attempt_timestamp
FROM session_now s
LEFT JOIN (
    SELECT id >> 32 AS session, total(duration_ms) AS total_ms, sum(rollback_performed) AS rollbacks
    FROM entry GROUP BY id >> 32
) d ON d.session = s.id
WHERE s.entries > 0 OR s.first_at IS NOT NULL;
