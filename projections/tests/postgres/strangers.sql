-- Gives every table that readers see rows of these tenants, and where rows are a trainer's, of
-- these trainers: a policy can only be seen to hide what is there. What a test's facts have made
-- stays; a row is made up only where there is none. Values are as small as their types; instants
-- lie so far ahead that nothing is due.
CREATE FUNCTION strangers(tenants text[], trainers text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target record;
    tenant text;
    trainer text;
    made jsonb;
    has_row boolean;
BEGIN
    FOR target IN
        SELECT c.oid, c.oid::regclass AS name,
            EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'trainer_id') AS of_trainers
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND (n.nspname LIKE 'rm\_%' OR n.nspname = 'projection')
          AND (has_table_privilege('ledger_api', c.oid, 'SELECT')
            OR has_table_privilege('ledger_auditor', c.oid, 'SELECT'))
    LOOP
        FOREACH tenant IN ARRAY tenants LOOP
            FOREACH trainer IN ARRAY trainers LOOP
                SELECT jsonb_object_agg(a.attname, CASE
                    WHEN a.attname = 'tenant' THEN to_jsonb(tenant)
                    WHEN a.attname = 'kind' THEN to_jsonb('assigned'::text)
                    WHEN a.attname = 'period_end' THEN to_jsonb('9000-01-02T00:00:00Z'::text)
                    WHEN a.atttypid = 'text'::regtype THEN to_jsonb(trainer)
                    WHEN a.atttypid = 'text[]'::regtype THEN '[]'
                    WHEN a.atttypid = 'jsonb'::regtype THEN '{}'
                    WHEN a.atttypid = 'boolean'::regtype THEN 'false'
                    WHEN a.atttypid = 'timestamptz'::regtype
                        THEN to_jsonb('9000-01-01T00:00:00Z'::text)
                    WHEN a.atttypid = 'uuid'::regtype
                        THEN to_jsonb('00000000-0000-0000-0000-000000000001'::text)
                    WHEN a.atttypid = 'bytea'::regtype THEN to_jsonb('\x00'::text)
                    ELSE '1' END)
                INTO made FROM pg_attribute a
                WHERE a.attrelid = target.oid AND a.attnum > 0 AND NOT a.attisdropped;
                EXECUTE format('SELECT EXISTS (SELECT FROM %s r WHERE to_jsonb(r) @> $1)',
                    target.name)
                INTO has_row
                USING jsonb_build_object('tenant', tenant) || CASE WHEN target.of_trainers
                    THEN jsonb_build_object('trainer_id', trainer) ELSE '{}' END;
                IF NOT has_row THEN
                    EXECUTE format(
                        'INSERT INTO %1$s SELECT * FROM jsonb_populate_record(NULL::%1$s, $1)',
                        target.name) USING made;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
