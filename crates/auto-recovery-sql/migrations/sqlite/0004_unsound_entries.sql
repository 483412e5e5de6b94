-- The entries whose text cannot be read, or may not be: hardly any, so that those who read sums alone can
-- say of each without looking at all the others. The condition is that of src/sqlite/unsound.rs.
CREATE INDEX entry_unsound ON entry (id) WHERE
    json_valid(changes_made) = 0
    OR json_valid(files_modified) = 0
    OR (raw IS NOT NULL
        AND CASE json_valid(raw) WHEN 1 THEN json_extract(raw, '$.entry_id') END IS NOT entry_id);
