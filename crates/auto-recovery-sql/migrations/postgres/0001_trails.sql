-- What PostgresStore keeps, and the views that people read. Never edited once released: what changes
-- comes as a migration of its own.
--
-- A text that holds a NUL, which no text here can, has U+10FFFE and '0' in its place; U+10FFFE itself is
-- U+10FFFE and '1'.

-- One session since its trail was last removed. The sums of its entries and the facts of its journal are
-- brought up to date by whoever adds to them, under the row's lock.
CREATE TABLE auto_recovery.stored_session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The sums of its entries.
    entries bigint NOT NULL DEFAULT 0,
    successful bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    -- The highest attempt number; from 2^63 on it wraps around into the negative.
    highest_number bigint NOT NULL DEFAULT 0,
    -- Microseconds since the epoch; NULL where the timestamp is no time.
    first_us bigint,
    last_us bigint,
    -- What its journal says.
    first_at_us bigint,
    took_ms bigint,
    flaky bigint NOT NULL DEFAULT 0,
    pid bigint,
    last_succeeded boolean NOT NULL DEFAULT false,
    held boolean NOT NULL DEFAULT false,
    session_id text COLLATE "C" NOT NULL UNIQUE,
    first_timestamp text COLLATE "C",
    last_timestamp text COLLATE "C",
    first_at text COLLATE "C",
    outcome text COLLATE "C",
    category text COLLATE "C",
    source text COLLATE "C",
    project text COLLATE "C",
    host text COLLATE "C",
    "user" text COLLATE "C",
    cwd text,
    command text[],
    -- All of it, as JSON.
    facts text NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE TABLE auto_recovery.stored_entry (
    session bigint NOT NULL,
    -- Where it stands in its trail, from 1.
    place bigint NOT NULL,
    at_us bigint,
    attempt_number bigint NOT NULL,
    duration_ms bigint NOT NULL,
    -- How many bytes it is as a line.
    bytes bigint NOT NULL,
    duration_bucket integer NOT NULL,
    -- How many entries of the session before it have its id.
    occurrence integer NOT NULL,
    success boolean NOT NULL,
    rollback_performed boolean NOT NULL,
    -- Half a SHA-256 of its id, which may be longer than an index can hold.
    id_hash bytea NOT NULL,
    entry_id text NOT NULL,
    "timestamp" text NOT NULL,
    error_type text COLLATE "C" NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    next_action text NOT NULL,
    changes_made text[] NOT NULL,
    files_modified text[] COLLATE "C" NOT NULL,
    error_message text NOT NULL,
    recovery_message text NOT NULL,
    -- What was stored, where the columns would not give the same bytes.
    raw text,
    PRIMARY KEY (session, place),
    CONSTRAINT entry_identity UNIQUE (session, id_hash, occurrence)
);

CREATE INDEX entry_time ON auto_recovery.stored_entry USING brin (at_us);

CREATE TABLE auto_recovery.journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text COLLATE "C",
    at text NOT NULL,
    event text NOT NULL,
    record json NOT NULL,
    -- Half a SHA-256 of the record.
    hash bytea NOT NULL,
    -- Which write it came with: whoever lost the answer finds it by this.
    token bytea NOT NULL
);

CREATE INDEX journal_session ON auto_recovery.journal (session_id, id);
CREATE INDEX journal_hash ON auto_recovery.journal (hash);

-- Trails that were removed, and whose entries are still to be deleted.
CREATE TABLE auto_recovery.removed_trail (
    session bigint PRIMARY KEY,
    entries bigint NOT NULL
);

-- How much of a spool was delivered, so that nothing is delivered twice. '' is its journal.
CREATE TABLE auto_recovery.spool_delivery (
    segment text NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    delivered bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (segment, session_id)
);

-- Texts in the order of what they stand for.
CREATE FUNCTION auto_recovery.text_order(kept text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(replace(replace(kept,
    E'\x01', E'\x01\x02'),
    U&'\+10FFFE' || '0', E'\x01\x01'),
    U&'\+10FFFE' || '1', U&'\+10FFFE');

-- The bucket that a duration falls into: itself below 256 ms; beyond, of the 8 bits that it begins with,
-- 128 for each bit that follows them.
CREATE FUNCTION auto_recovery.duration_bucket(ms bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT (128 * shift + (ms >> shift))::integer
    FROM (SELECT greatest(length(ltrim(ms::bit(64)::text, '0')) - 8, 0) AS shift) AS of
);

CREATE VIEW auto_recovery.sessions AS
SELECT
    session_id,
    CASE
        WHEN first_at IS NULL THEN first_timestamp
        WHEN first_timestamp IS NULL THEN first_at
        WHEN first_us IS NULL AND first_at_us IS NOT NULL THEN first_at
        WHEN first_at_us IS NULL AND first_us IS NOT NULL THEN first_timestamp
        WHEN first_us < first_at_us THEN first_timestamp
        WHEN first_at_us < first_us THEN first_at
        ELSE least(first_at, first_timestamp)
    END AS session_start,
    last_timestamp AS last_attempt_timestamp,
    entries AS total_attempts,
    successful AS successful_attempts,
    -- Only on its own machine can anybody tell whether a session that has not ended still runs.
    coalesce(outcome, 'unknown') AS outcome,
    command,
    cwd,
    project,
    host,
    "user",
    held,
    category,
    source,
    bytes
FROM auto_recovery.stored_session
WHERE entries > 0 OR first_at IS NOT NULL;

CREATE VIEW auto_recovery.entries AS
SELECT
    entry_id,
    "timestamp",
    session_id,
    error_type,
    strategy,
    attempt_number,
    success,
    changes_made,
    files_modified,
    rollback_performed,
    next_action,
    duration_ms::double precision / 1000 AS duration_seconds,
    error_message,
    recovery_message,
    project,
    host,
    "user",
    category,
    source,
    timestamptz 'epoch' + at_us * interval '1 microsecond' AS at,
    place
FROM auto_recovery.stored_entry
JOIN auto_recovery.stored_session ON id = session;

CREATE VIEW auto_recovery.session_statistics AS
SELECT
    of.session_id,
    sessions.session_start,
    of.entries AS total_attempts,
    of.successful AS successful_attempts,
    of.entries - of.successful AS failed_attempts,
    coalesce(round(of.successful * 100.0 / nullif(of.entries, 0), 2), 0)::double precision AS success_rate,
    coalesce(strategies.counts, '{}') AS strategies_used,
    coalesce(types.counts, '{}') AS error_type_distribution,
    (sums.ms / 1000.0)::double precision AS total_duration_seconds,
    (coalesce(round(sums.ms / nullif(of.entries, 0)), 0) / 1000)::double precision AS average_duration_seconds,
    cardinality(files.names) AS files_modified_count,
    files.names AS files_modified,
    sums.rollbacks AS rollback_count,
    of.first_timestamp AS first_attempt_timestamp,
    of.last_timestamp AS last_attempt_timestamp
FROM auto_recovery.stored_session AS of
JOIN auto_recovery.sessions ON sessions.session_id = of.session_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(duration_ms), 0) AS ms, count(*) FILTER (WHERE rollback_performed) AS rollbacks
    FROM auto_recovery.stored_entry WHERE session = of.id
) AS sums
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(strategy, count) AS counts
    FROM (
        SELECT strategy, count(*) FROM auto_recovery.stored_entry WHERE session = of.id GROUP BY strategy
    ) AS each
) AS strategies
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(error_type, count) AS counts
    FROM (
        SELECT error_type, count(*) FROM auto_recovery.stored_entry WHERE session = of.id GROUP BY error_type
    ) AS each
) AS types
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT file ORDER BY file), '{}') AS names
    FROM auto_recovery.stored_entry, unnest(files_modified) AS file
    WHERE session = of.id
) AS files;
