-- Trails of auto-recovery in SQLite, format 1. This file is never edited once it is released: what
-- changes later stands in the next one. `PRAGMA user_version` says how many were applied, and
-- `PRAGMA application_id` (0x4155524C, "AURL") that the database is ours.
--
-- To ask something, ask the views at the end: sessions, entries, session_statistics. Write with
-- `recover` only: several tables hold sums that must stay those of the entries.
--
-- Times `…_us` are microseconds since 1970 in UTC, NULL where a timestamp is no time. A NUL in a text
-- is kept as U+10FFFE followed by "0", and U+10FFFE as U+10FFFE followed by "1".

-- One row a session: what lists and sums need of it, as exact as its entries.
CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, so what is left of a removed one is nobody's
    session_id TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL DEFAULT 0,
    successes INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, -- of its entries as JSON, each with a line's end
    highest_number INTEGER NOT NULL DEFAULT 0, -- attempt number; the 64 bits of an unsigned number
    next_place INTEGER NOT NULL DEFAULT 0,
    counted INTEGER NOT NULL DEFAULT 0, -- its entries before this place are in tally and file
    is_counted INTEGER NOT NULL DEFAULT 1, -- whether that is all of them
    first_timestamp TEXT, -- of the first entry
    first_us INTEGER,
    last_timestamp TEXT, -- of the last entry
    last_us INTEGER,
    last_succeeded INTEGER NOT NULL DEFAULT 0,
    first_at TEXT, -- when the journal first mentions it; NULL without entries too: there is no such session
    outcome TEXT, -- recovered, escalated, interrupted, as its recorder said
    took_ms INTEGER, -- until then
    flaky INTEGER NOT NULL DEFAULT 0, -- recoveries that passed by plain retry
    category TEXT, -- of its last failure
    source TEXT, -- where that was seen
    project TEXT,
    host TEXT,
    start TEXT, -- the earlier of first_at and first_timestamp
    start_us INTEGER,
    ended TEXT, -- recovered or escalated, as sums count it: by its outcome, or else by its last entry
    ended_ms INTEGER -- after how many milliseconds it was recovered
) STRICT;

CREATE INDEX session_uncounted ON session (id) WHERE is_counted = 0;

-- What else the journal says of a session.
CREATE TABLE session_facts (
    session INTEGER PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    command TEXT, -- argv, as a JSON array
    cwd TEXT,
    user TEXT,
    held TEXT, -- who wants it kept and why, as a JSON object; NULL if nobody
    facts TEXT NOT NULL -- all of it, as a JSON object
) STRICT;

-- The entries. The id is session.id * 4294967296 + the place in the trail, so a trail lies together, in
-- order. What sums need stands first, so that they need not read messages.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL GENERATED ALWAYS AS (id >> 32) VIRTUAL,
    at_us INTEGER,
    strategy TEXT NOT NULL,
    error_type TEXT NOT NULL,
    success INTEGER NOT NULL,
    rollback_performed INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    duration_bucket INTEGER NOT NULL, -- exact below 256 ms, then 128 of equal width to each doubling
    attempt_number INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    occurrence INTEGER NOT NULL, -- how often the session had this entry_id before
    timestamp TEXT NOT NULL,
    files_modified TEXT NOT NULL, -- a JSON array
    changes_made TEXT NOT NULL, -- a JSON array
    next_action TEXT NOT NULL,
    error_message TEXT NOT NULL,
    recovery_message TEXT NOT NULL,
    raw TEXT -- the text as it was stored, where the columns would give another
) STRICT;

CREATE UNIQUE INDEX entry_identity ON entry (session, entry_id, occurrence);

-- The sums of all entries that are counted, see session.counted. A writer counts whenever it has much to
-- count, so that an append need not touch these tables.
--
-- Durations are summed up in two halves, for a sum of large ones overflows.
CREATE TABLE tally (
    strategy TEXT NOT NULL,
    error_type TEXT NOT NULL,
    duration_bucket INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    rollbacks INTEGER NOT NULL,
    ms_high INTEGER NOT NULL, -- of duration_ms >> 32
    ms_low INTEGER NOT NULL, -- of duration_ms & 4294967295
    PRIMARY KEY (strategy, error_type, duration_bucket)
) STRICT, WITHOUT ROWID;

-- Every file that entries name which are counted, and how many times they do.
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    mentions INTEGER NOT NULL
) STRICT;

-- The journal, in order.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    session_id TEXT,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    v INTEGER NOT NULL, -- format of the record
    record TEXT NOT NULL, -- a JSON object
    digest INTEGER NOT NULL -- the first 8 bytes of its SHA-256: the same record is not imported twice
) STRICT;

CREATE INDEX journal_session ON journal (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX journal_digest ON journal (digest);

-- Sessions that are removed, whose entries are not all deleted yet. Whoever writes next goes on.
CREATE TABLE leftover (
    session INTEGER PRIMARY KEY
) STRICT;

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
FROM session s LEFT JOIN session_facts f ON f.session = s.id
WHERE s.entries > 0 OR s.first_at IS NOT NULL;

-- Every entry, by session and in order: its 14 fields, and what is known of its session.
CREATE VIEW entries AS
SELECT
    e.entry_id,
    e.timestamp,
    s.session_id,
    e.error_type,
    e.strategy,
    e.attempt_number,
    e.success,
    e.changes_made,
    e.files_modified,
    e.rollback_performed,
    e.next_action,
    e.duration_ms / 1000.0 AS duration_seconds,
    e.error_message,
    e.recovery_message,
    s.project,
    s.host,
    f.user,
    s.category,
    s.source,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.at_us / 1000000.0, 'unixepoch') AS at,
    e.id
FROM session s
CROSS JOIN entry e ON e.id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295
LEFT JOIN session_facts f ON f.session = s.id;

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
FROM session s
LEFT JOIN (
    SELECT id >> 32 AS session, total(duration_ms) AS total_ms, sum(rollback_performed) AS rollbacks
    FROM entry GROUP BY id >> 32
) d ON d.session = s.id
WHERE s.entries > 0 OR s.first_at IS NOT NULL;
