-- What administrators gave and did to trainers. Made in a schema of its own by the role that
-- writes it; every version of the read model comes from this file.

CREATE TABLE trainer (
    tenant        text COLLATE "C"   NOT NULL,
    trainer_id    text COLLATE "C"   NOT NULL,
    registered_at timestamptz,
    suspended_at  timestamptz,
    position      bigint NOT NULL,
    CONSTRAINT trainer_pkey PRIMARY KEY (tenant, trainer_id)
);

CREATE TABLE entitlement_grants (
    tenant     text COLLATE "C"        NOT NULL,
    event_id   text COLLATE "C"        NOT NULL,
    trainer_id text COLLATE "C"        NOT NULL,
    kind       text COLLATE "C"        NOT NULL,
    tier       text,
    "interval" text,
    feature    text COLLATE "C",
    effect     jsonb,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    actor      text        NOT NULL,
    position   bigint      NOT NULL,
    CONSTRAINT entitlement_grants_pkey PRIMARY KEY (tenant, event_id),
    CONSTRAINT entitlement_grants_kind
        CHECK (kind IN ('assigned', 'grandfathered', 'override')),
    CONSTRAINT entitlement_grants_gives
        CHECK (CASE WHEN kind = 'override' THEN feature IS NOT NULL AND effect IS NOT NULL
                    ELSE tier IS NOT NULL END)
);
-- The condition keeps the index out of statements that look a grant up by its key.
CREATE INDEX entitlement_grants_by_trainer ON entitlement_grants (tenant, trainer_id)
    WHERE trainer_id IS NOT NULL;
COMMENT ON COLUMN entitlement_grants.effect IS 'what an override does: "grant", "unlimited", {"lift": n} or {"cap": n}';

CREATE TABLE grant_history (
    tenant      text COLLATE "C"        NOT NULL,
    trainer_id  text COLLATE "C"        NOT NULL,
    ordinal     integer     NOT NULL,
    subject     text COLLATE "C"        NOT NULL,
    change      text        NOT NULL,
    from_prices text[]      NOT NULL,
    to_prices   text[]      NOT NULL,
    tier        text,
    feature     text COLLATE "C",
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    event_id    text COLLATE "C"        NOT NULL,
    position    bigint      NOT NULL,
    CONSTRAINT grant_history_pkey PRIMARY KEY (tenant, trainer_id, ordinal)
);
COMMENT ON TABLE grant_history IS 'the part of a trainer''s tier history that administrators made; the rest is tier_history';

-- The fold's own state. Beside the projector, an auditor reads by it which events made an account.
CREATE TABLE trainer_part (
    tenant text COLLATE "C"  NOT NULL,
    unit   text COLLATE "C"  NOT NULL,
    part   text COLLATE "C"  NOT NULL,
    state  bytea NOT NULL,
    CONSTRAINT trainer_part_pkey PRIMARY KEY (tenant, unit, part)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['trainer', 'entitlement_grants', 'grant_history', 'trainer_part']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projector ON %I TO ledger_projector USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['trainer', 'entitlement_grants', 'grant_history']
    LOOP
        EXECUTE format($policy$CREATE POLICY api ON %I FOR SELECT TO ledger_api USING (
            tenant = (SELECT public.current_tenant())
            AND ((SELECT public.current_user_id()) = '*'
                OR trainer_id = (SELECT public.current_user_id())))$policy$, name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_api, ledger_auditor', name);
    END LOOP;
    CREATE POLICY auditor ON trainer_part FOR SELECT TO ledger_auditor
        USING (tenant = (SELECT public.current_tenant()));
    GRANT SELECT ON trainer_part TO ledger_auditor;
END $$;
