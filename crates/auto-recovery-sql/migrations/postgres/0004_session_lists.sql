-- Lists of sessions begin with the newest: the order that they are in. An entry changes none of it, but for
-- a session's first, so the rows that appends write stay on their pages.
CREATE INDEX session_listed ON auto_recovery.stored_session
    ((least(first_us, first_at_us)) DESC NULLS LAST, session_id DESC);
