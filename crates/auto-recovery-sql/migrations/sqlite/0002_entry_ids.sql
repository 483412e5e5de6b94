-- Format 2: no index of entry ids. Only an import looks for them, and reads those of its session; an append
-- writes a page less for it.

DROP INDEX entry_identity;

ALTER TABLE entry DROP COLUMN occurrence;
