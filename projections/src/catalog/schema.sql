-- What holds for a whole tenant. Made in a schema of its own by the role that writes it; every
-- version of the read model comes from this file. No row here is about one trainer, so every
-- reader of the tenant sees all of it, but for what is odd: that is for who sees the whole tenant.

CREATE TABLE stripe_account (
    tenant   text COLLATE "C"    NOT NULL,
    log_id   uuid    NOT NULL,
    livemode boolean NOT NULL,
    account  text,
    position bigint  NOT NULL,
    CONSTRAINT log_identity_pkey PRIMARY KEY (tenant)
);

CREATE TABLE catalog (
    tenant       text COLLATE "C"        NOT NULL,
    position     bigint      NOT NULL,
    event_id     text COLLATE "C"        NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    toml         text        NOT NULL,
    prices       jsonb       NOT NULL,
    CONSTRAINT catalog_pkey PRIMARY KEY (tenant, position)
);
COMMENT ON COLUMN catalog.effective_at IS 'as published; the first ever is in force since always';
COMMENT ON COLUMN catalog.prices IS 'the Stripe price ids of each plan by interval';

CREATE TABLE enforcement (
    tenant      text COLLATE "C"        NOT NULL,
    position    bigint      NOT NULL,
    event_id    text COLLATE "C"        NOT NULL,
    since       timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    mode        jsonb       NOT NULL,
    actor       text        NOT NULL,
    CONSTRAINT enforcement_pkey PRIMARY KEY (tenant, position)
);

CREATE TABLE price (
    tenant   text COLLATE "C"   NOT NULL,
    price_id text COLLATE "C"   NOT NULL,
    snapshot jsonb  NOT NULL,
    deleted  boolean NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT price_pkey PRIMARY KEY (tenant, price_id)
);

CREATE TABLE product (
    tenant     text COLLATE "C"   NOT NULL,
    product_id text COLLATE "C"   NOT NULL,
    snapshot   jsonb  NOT NULL,
    deleted    boolean NOT NULL,
    position   bigint NOT NULL,
    CONSTRAINT product_pkey PRIMARY KEY (tenant, product_id)
);

CREATE TABLE sold_anomaly (
    tenant            text COLLATE "C" NOT NULL,
    subject           text COLLATE "C" NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    previous_event_id text COLLATE "C",
    CONSTRAINT sold_anomaly_pkey PRIMARY KEY (tenant, subject, kind, event_id)
);
COMMENT ON TABLE sold_anomaly IS 'what a person should look at, recomputed from all facts of a price or product';

-- The fold's own state. Nobody but the projector reads it.
CREATE TABLE tenant_part (
    tenant text COLLATE "C"  NOT NULL,
    unit   text COLLATE "C"  NOT NULL,
    part   text COLLATE "C"  NOT NULL,
    state  bytea NOT NULL,
    CONSTRAINT tenant_part_pkey PRIMARY KEY (tenant, unit, part)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stripe_account', 'catalog', 'enforcement', 'price', 'product',
        'sold_anomaly', 'tenant_part']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projector ON %I TO ledger_projector USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['stripe_account', 'catalog', 'enforcement', 'price', 'product']
    LOOP
        EXECUTE format('CREATE POLICY readers ON %I FOR SELECT TO ledger_api, ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_api, ledger_auditor', name);
    END LOOP;
    CREATE POLICY api ON sold_anomaly FOR SELECT TO ledger_api USING (
        tenant = (SELECT public.current_tenant())
        AND (SELECT public.current_user_id()) = '*');
    CREATE POLICY auditor ON sold_anomaly FOR SELECT TO ledger_auditor
        USING (tenant = (SELECT public.current_tenant()));
    GRANT SELECT ON sold_anomaly TO ledger_api, ledger_auditor;
END $$;
