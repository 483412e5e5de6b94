-- Format 5: seals, and the keys of sessions whose texts are encrypted.

-- The seals, in the order in which they were made. What stands beside a note is also in it.
CREATE TABLE seal (
    id INTEGER PRIMARY KEY,
    chain TEXT NOT NULL,
    number INTEGER NOT NULL, -- within its chain, from 0; two of one number are a fork, and both are evidence
    size INTEGER NOT NULL, -- how many records of the journal it speaks of
    v INTEGER NOT NULL, -- format of the row
    at TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE INDEX seal_chain ON seal (chain, number);

-- The keys of the texts of a session, each an age file to the recipients of its time. Deleting them is
-- what erases the texts, so whoever deletes has `PRAGMA secure_delete` on.
CREATE TABLE session_key (
    session_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    kid TEXT NOT NULL,
    file BLOB NOT NULL,
    PRIMARY KEY (session_id, number)
) STRICT, WITHOUT ROWID;
