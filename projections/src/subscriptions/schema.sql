-- What Stripe's facts about customers add up to. Made in a schema of its own by the role that
-- writes it; every version of the read model comes from this file.
--
-- The condition of each index by trainer is always true where it is asked. It keeps the index out
-- of statements that don't ask for a trainer: a plan made while a table was empty would find the
-- tenant in either index equally good, and read all of it ever after.

CREATE TABLE trainer_subscriptions (
    tenant               text COLLATE "C"    NOT NULL,
    subscription_id      text COLLATE "C"    NOT NULL,
    customer_id          text COLLATE "C",
    trainer_id           text COLLATE "C",
    status               text    NOT NULL,
    items_complete       boolean NOT NULL,
    anchor_at            timestamptz,
    started_at           timestamptz,
    current_period_start timestamptz,
    current_period_end   timestamptz,
    trial_start          timestamptz,
    trial_end            timestamptz,
    cancel_at            timestamptz,
    canceled_at          timestamptz,
    ended_at             timestamptz,
    past_due_since       timestamptz,
    collection_paused    boolean NOT NULL,
    scheduled_at         timestamptz,
    scheduled_prices     text[],
    once_active          boolean NOT NULL,
    last_event_id        text    NOT NULL,
    position             bigint  NOT NULL,
    CONSTRAINT trainer_subscriptions_pkey PRIMARY KEY (tenant, subscription_id)
) WITH (fillfactor = 60);
CREATE INDEX trainer_subscriptions_by_trainer
    ON trainer_subscriptions (tenant, trainer_id, current_period_end)
    WHERE trainer_id IS NOT NULL;
COMMENT ON COLUMN trainer_subscriptions.trainer_id IS 'null while nobody has said whose it is';

CREATE TABLE subscription_items (
    tenant               text COLLATE "C"    NOT NULL,
    subscription_id      text COLLATE "C"    NOT NULL,
    ordinal              integer NOT NULL,
    trainer_id           text COLLATE "C",
    item_id              text,
    price_id             text COLLATE "C"    NOT NULL,
    product_id           text COLLATE "C",
    quantity             bigint,
    currency             text,
    unit_amount_minor    bigint,
    unit_amount_decimal  text,
    "interval"           text,
    interval_count       bigint,
    usage_type           text,
    current_period_start timestamptz,
    current_period_end   timestamptz,
    CONSTRAINT subscription_items_pkey PRIMARY KEY (tenant, subscription_id, ordinal)
) WITH (fillfactor = 80);

CREATE TABLE tier_history (
    tenant      text COLLATE "C"        NOT NULL,
    subject     text COLLATE "C"        NOT NULL,
    ordinal     integer     NOT NULL,
    trainer_id  text COLLATE "C",
    change      text        NOT NULL,
    from_prices text[]      NOT NULL,
    to_prices   text[]      NOT NULL,
    tier        text,
    feature     text COLLATE "C",
    at          timestamptz NOT NULL,
    actor       text        NOT NULL,
    event_id    text COLLATE "C"        NOT NULL,
    position    bigint      NOT NULL,
    CONSTRAINT tier_history_pkey PRIMARY KEY (tenant, subject, at, ordinal)
);
CREATE INDEX tier_history_by_trainer ON tier_history (tenant, trainer_id, at)
    WHERE trainer_id IS NOT NULL;
COMMENT ON TABLE tier_history IS 'one row per step in the life of a subscription; what administrators did is grant_history';
COMMENT ON COLUMN tier_history.ordinal IS 'orders the steps of one instant';

CREATE TABLE payment_logs (
    tenant          text COLLATE "C"        NOT NULL,
    object_id       text COLLATE "C"        NOT NULL,
    kind            text COLLATE "C"        NOT NULL,
    customer_id     text COLLATE "C",
    trainer_id      text COLLATE "C",
    subscription_id text COLLATE "C",
    invoice_id      text,
    payment_id      text,
    status          text        NOT NULL,
    amount_minor    bigint      NOT NULL,
    paid_minor      bigint      NOT NULL,
    refunded_minor  bigint      NOT NULL,
    currency        text        NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    lost_at         timestamptz,
    attempt_count   bigint      NOT NULL,
    next_attempt_at timestamptz,
    reason          text,
    event_ids       text[]      NOT NULL,
    position        bigint      NOT NULL,
    CONSTRAINT payment_logs_pkey PRIMARY KEY (tenant, object_id)
) WITH (fillfactor = 60);
CREATE INDEX payment_logs_by_trainer ON payment_logs (tenant, trainer_id, created_at)
    WHERE trainer_id IS NOT NULL;
COMMENT ON COLUMN payment_logs.event_ids IS 'in the order of the facts; an id that Stripe did not issue is written namespace/id';

CREATE TABLE customer_link (
    tenant      text COLLATE "C"        NOT NULL,
    customer_id text COLLATE "C"        NOT NULL,
    trainer_id  text COLLATE "C"        NOT NULL,
    since       timestamptz NOT NULL,
    event_id    text COLLATE "C"        NOT NULL,
    conflicting boolean     NOT NULL,
    position    bigint      NOT NULL,
    CONSTRAINT customer_link_pkey PRIMARY KEY (tenant, customer_id)
) WITH (fillfactor = 60);
-- The condition keeps the index out of statements that look a link up by its key.
CREATE INDEX customer_link_by_trainer ON customer_link (tenant, trainer_id)
    WHERE trainer_id IS NOT NULL;

-- The fold's own state. Beside the projector, an auditor reads by it which events made an account.
CREATE TABLE unit_part (
    tenant text COLLATE "C"  NOT NULL,
    unit   text COLLATE "C"  NOT NULL,
    part   text COLLATE "C"  NOT NULL,
    state  bytea NOT NULL,
    CONSTRAINT unit_part_pkey PRIMARY KEY (tenant, unit, part)
) WITH (fillfactor = 60);
-- Compressing a state costs more than the disk it saves: it is rewritten at the customer's next fact.
ALTER TABLE unit_part ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE object_customer (
    tenant      text COLLATE "C" NOT NULL,
    object_id   text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    CONSTRAINT object_customer_pkey PRIMARY KEY (tenant, object_id)
);
COMMENT ON TABLE object_customer IS 'whose an object is, for facts that name the object and not the customer';

CREATE TABLE waiting_fact (
    tenant    text COLLATE "C"   NOT NULL,
    waits_for text COLLATE "C"   NOT NULL,
    position  bigint NOT NULL,
    CONSTRAINT waiting_fact_pkey PRIMARY KEY (tenant, waits_for, position)
);
COMMENT ON TABLE waiting_fact IS 'facts that wait until one of these objects is in object_customer';

CREATE TABLE trainer_event (
    tenant     text COLLATE "C" NOT NULL,
    trainer_id text COLLATE "C" NOT NULL,
    position   bigint           NOT NULL,
    CONSTRAINT trainer_event_pkey PRIMARY KEY (tenant, trainer_id, position)
);
COMMENT ON TABLE trainer_event IS 'the events that name a trainer themselves, of any kind, whosever their customer is';

CREATE TABLE anomaly (
    tenant            text COLLATE "C" NOT NULL,
    customer_id       text COLLATE "C" NOT NULL,
    subject           text COLLATE "C" NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    previous_event_id text COLLATE "C",
    CONSTRAINT anomaly_pkey PRIMARY KEY (tenant, customer_id, subject, kind, event_id)
);
COMMENT ON TABLE anomaly IS 'what a person should look at, recomputed from all facts of its subject, or (subject event/ID) stated by an event itself; customer_id is empty where such an event names none';

CREATE TABLE dead_letter (
    tenant   text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    position bigint           NOT NULL,
    lacks    text             NOT NULL,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant, event_id)
);
CREATE INDEX dead_letter_by_position ON dead_letter (tenant, position);
COMMENT ON TABLE dead_letter IS 'webhooks of a known type whose object could not be read; their redacted bodies are kept, so that a later translator can';
COMMENT ON COLUMN dead_letter.lacks IS 'the path in the body of what is missing or not as it should be';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['trainer_subscriptions', 'subscription_items', 'tier_history',
        'payment_logs', 'customer_link', 'unit_part', 'object_customer', 'waiting_fact',
        'trainer_event', 'anomaly', 'dead_letter']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projector ON %I TO ledger_projector USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['trainer_subscriptions', 'subscription_items', 'tier_history',
        'payment_logs', 'customer_link']
    LOOP
        EXECUTE format($policy$CREATE POLICY api ON %I FOR SELECT TO ledger_api USING (
            tenant = (SELECT public.current_tenant())
            AND ((SELECT public.current_user_id()) = '*'
                OR trainer_id = (SELECT public.current_user_id())))$policy$, name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_api, ledger_auditor', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['anomaly', 'dead_letter']
    LOOP
        EXECUTE format($policy$CREATE POLICY api ON %I FOR SELECT TO ledger_api USING (
            tenant = (SELECT public.current_tenant())
            AND (SELECT public.current_user_id()) = '*')$policy$, name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_api, ledger_auditor', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['unit_part', 'trainer_event', 'object_customer']
    LOOP
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_auditor', name);
    END LOOP;
END $$;
