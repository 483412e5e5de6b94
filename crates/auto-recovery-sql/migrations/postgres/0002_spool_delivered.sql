-- What was delivered of a spool, thing by thing: a spool that comes back, as with a machine that was
-- restored from an image, is not delivered twice. Each row is of one transaction; `digests` has 16
-- bytes for each entry or record, half the SHA-256 of its text. Rows stay.
CREATE TABLE auto_recovery.spool_delivered (
    segment text NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    count_before bigint NOT NULL,
    digests bytea NOT NULL,
    PRIMARY KEY (segment, session_id, count_before)
);
