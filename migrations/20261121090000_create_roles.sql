-- The roles that the service takes on, one per way of using the database. Roles belong to the
-- whole cluster, and many databases may be migrated at once: whoever comes second finds them.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['ledger_writer', 'ledger_projector', 'ledger_api', 'ledger_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
    -- Read models live in schemas that the projector makes, swaps and drops.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO ledger_projector', current_database());
END
$$;

CREATE FUNCTION current_tenant() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('ledger.tenant', true), '');

COMMENT ON FUNCTION current_tenant() IS
    'The tenant that the transaction works for (setting ledger.tenant); null sees nothing.';

CREATE FUNCTION current_user_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('ledger.user', true), '');

COMMENT ON FUNCTION current_user_id() IS
    'The trainer that the transaction works for (setting ledger.user); ''*'' means every trainer of the tenant, null sees nothing.';
