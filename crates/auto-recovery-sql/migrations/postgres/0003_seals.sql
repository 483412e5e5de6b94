-- Seals, and the keys of sessions whose texts are encrypted.

-- The order of the journal as it is sealed, from 1: ids are not given in the order of commits. Whoever
-- seals numbers what has no number yet, under a lock. Rows stay as they are.
CREATE TABLE auto_recovery.journal_leaf (
    leaf bigint PRIMARY KEY,
    id bigint NOT NULL UNIQUE
);

-- The seals. Each machine has a chain of its own. What stands beside a note is also in it.
CREATE TABLE auto_recovery.seal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain text COLLATE "C" NOT NULL,
    -- Within its chain, from 0; two of one number are a fork, and both are evidence.
    number bigint NOT NULL,
    -- How many records of the journal it speaks of.
    size bigint NOT NULL,
    -- Format of the row.
    v integer NOT NULL,
    at text NOT NULL,
    note text NOT NULL
);

CREATE INDEX seal_chain ON auto_recovery.seal (chain, number);

-- The keys of the texts of a session, each an age file to the recipients of its time.
CREATE TABLE auto_recovery.session_key (
    session_id text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    kid text NOT NULL,
    file bytea NOT NULL,
    PRIMARY KEY (session_id, number)
);
