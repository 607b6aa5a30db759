-- How far the read models are, who writes them, and what they could not take in. A row belongs to
-- a version of a read model by the name of its schema, so that whoever renames schemas renames
-- here in the same transaction.

-- One sequence for the tokens of all leases: a token is never given twice, so whoever holds an old
-- one is told apart even after versions of a read model have changed places.
CREATE SEQUENCE fence;

CREATE TABLE lease (
    tenant text COLLATE "C"        NOT NULL,
    name   text COLLATE "C"        NOT NULL,
    owner  text        NOT NULL,
    token  bigint      NOT NULL,
    until  timestamptz NOT NULL,
    CONSTRAINT lease_pkey PRIMARY KEY (tenant, name)
);
COMMENT ON COLUMN lease.until IS 'by the clock of the database, which alone compares it; infinity = held by hand, until somebody sets it otherwise';

CREATE TABLE checkpoint (
    tenant      text COLLATE "C"   NOT NULL,
    read_model  text COLLATE "C"   NOT NULL,
    log_id      uuid   NOT NULL,
    epoch       integer NOT NULL,
    position    bigint NOT NULL,
    seal        bytea,
    recorded_at timestamptz,
    token       bigint NOT NULL,
    CONSTRAINT checkpoint_pkey PRIMARY KEY (tenant, read_model),
    CONSTRAINT checkpoint_seal CHECK ((position = 0) = (seal IS NULL))
) WITH (fillfactor = 50);
COMMENT ON COLUMN checkpoint.seal IS 'the leaf hash of the event at this position: another hash there means another log';
COMMENT ON COLUMN checkpoint.recorded_at IS 'of the event at this position';

CREATE TABLE parked_unit (
    tenant          text COLLATE "C"        NOT NULL,
    read_model      text COLLATE "C"        NOT NULL,
    unit            text COLLATE "C"        NOT NULL,
    reason          text        NOT NULL,
    attempts        integer     NOT NULL,
    parked_at       timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    CONSTRAINT parked_unit_pkey PRIMARY KEY (tenant, read_model, unit)
);

CREATE TABLE parked_event (
    tenant     text COLLATE "C"   NOT NULL,
    read_model text COLLATE "C"   NOT NULL,
    unit       text COLLATE "C"   NOT NULL,
    position   bigint NOT NULL,
    trainer_id text COLLATE "C",
    CONSTRAINT parked_event_pkey PRIMARY KEY (tenant, read_model, unit, position)
);
CREATE INDEX parked_event_by_trainer ON parked_event (tenant, trainer_id, position)
    WHERE trainer_id IS NOT NULL;
COMMENT ON TABLE parked_event IS 'the events that wait, in order, until their unit is taken up again';
COMMENT ON COLUMN parked_event.trainer_id IS 'whom the event itself names: nothing else may link the unit to that trainer yet';

-- Whose answers changed, for processes that remember what answers are made from. Numbers rise by one
-- with each change, in the transaction that makes it: whoever has heard of one knows all before it.
-- A position wouldn't do, since a parked unit that is taken up again changes answers at the same one.
CREATE TABLE answer_feed (
    tenant text COLLATE "C" NOT NULL,
    id     uuid    NOT NULL,
    number bigint  NOT NULL,
    parked boolean NOT NULL,
    key    bytea   NOT NULL,
    CONSTRAINT answer_feed_pkey PRIMARY KEY (tenant),
    CONSTRAINT answer_feed_key_check CHECK (octet_length(key) = 32)
) WITH (fillfactor = 50);
COMMENT ON COLUMN answer_feed.id IS 'another one = what was heard before tells nothing: somebody else writes now, or a backup was put back; whoever renames schemas gives a new one, too';
COMMENT ON COLUMN answer_feed.number IS 'of the last change';
COMMENT ON COLUMN answer_feed.parked IS 'whether any unit of the read models that serve is parked';
COMMENT ON COLUMN answer_feed.key IS 'a secret that is new with each id: followers know by it what another one left for them outside of this database';

CREATE TABLE answer_change (
    tenant   text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    trainers text[],
    users    text[] NOT NULL,
    CONSTRAINT answer_change_pkey PRIMARY KEY (tenant, number)
);
COMMENT ON TABLE answer_change IS 'the last changes; whoever lacks one that is gone forgets everything';
COMMENT ON COLUMN answer_change.trainers IS 'who holds something else now; null = everybody may';
COMMENT ON COLUMN answer_change.users IS 'whose usage alone changed';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lease', 'checkpoint', 'parked_unit', 'parked_event',
        'answer_feed', 'answer_change']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY projector ON %I TO ledger_projector USING (true)', name);
    END LOOP;
    EXECUTE 'CREATE POLICY readers ON checkpoint FOR SELECT TO ledger_api, ledger_auditor
        USING (tenant = (SELECT public.current_tenant()))';
    EXECUTE 'CREATE POLICY api ON answer_feed FOR SELECT TO ledger_api
        USING (tenant = (SELECT public.current_tenant()))';
    FOREACH name IN ARRAY ARRAY['parked_unit', 'parked_event']
    LOOP
        EXECUTE format($policy$CREATE POLICY api ON %I FOR SELECT TO ledger_api USING (
            tenant = (SELECT public.current_tenant())
            AND (SELECT public.current_user_id()) = '*')$policy$, name);
        EXECUTE format('CREATE POLICY auditor ON %I FOR SELECT TO ledger_auditor
            USING (tenant = (SELECT public.current_tenant()))', name);
    END LOOP;
    GRANT SELECT ON checkpoint, parked_unit, parked_event TO ledger_api, ledger_auditor;
    -- The key is for followers alone.
    GRANT SELECT (tenant, id, number, parked) ON answer_feed TO ledger_api;
END $$;
