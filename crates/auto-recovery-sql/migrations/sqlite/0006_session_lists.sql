-- Format 6: the order of lists of sessions, and what most are left out of one by. None of it changes with
-- an entry, but for a session's first.
CREATE INDEX session_listed ON session (start_us, session_id, outcome, project, host);
