-- Roles of a store of trails in PostgreSQL. Run this as the owner of the tables, once `recover` has made
-- them, and again after an upgrade; then say who is what: GRANT recover_writer TO somebody.
--
-- recover_reader  reads everything
-- recover_writer  records: it adds, and changes nothing but the sums of sessions
-- recover_keeper  may remove sessions too (`recover clear`, `recover prune`), and destroy and wrap anew
--                 the keys of encrypted ones (`recover key shred`, `recover key rotate`)
--
-- The owner can do everything, and alone brings the tables up to date. What a role must not do is found
-- by `recover verify` should somebody do it all the same.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['recover_reader', 'recover_writer', 'recover_keeper'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA auto_recovery FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA auto_recovery FROM PUBLIC, recover_reader, recover_writer, recover_keeper;
GRANT USAGE ON SCHEMA auto_recovery TO recover_reader, recover_writer, recover_keeper;
GRANT SELECT ON ALL TABLES IN SCHEMA auto_recovery TO recover_reader, recover_writer, recover_keeper;
GRANT INSERT ON
    auto_recovery.stored_session, auto_recovery.stored_entry, auto_recovery.journal,
    auto_recovery.journal_leaf, auto_recovery.seal, auto_recovery.session_key,
    auto_recovery.spool_delivery, auto_recovery.spool_delivered
TO recover_writer, recover_keeper;
GRANT UPDATE ON auto_recovery.stored_session, auto_recovery.spool_delivery TO recover_writer, recover_keeper;
GRANT DELETE ON
    auto_recovery.stored_session, auto_recovery.stored_entry, auto_recovery.removed_trail,
    auto_recovery.session_key
TO recover_keeper;
GRANT INSERT ON auto_recovery.removed_trail TO recover_keeper;
GRANT UPDATE ON auto_recovery.session_key TO recover_keeper;
