-- The event log. Names compare by bytes: their order is the program's, on every machine.

CREATE TABLE log_identity (
    tenant     text COLLATE "C" NOT NULL,
    log_id     uuid             NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT log_identity_pkey PRIMARY KEY (tenant)
);
COMMENT ON TABLE log_identity IS
    'Each tenant''s log. Never updated; that a tenant has one log at most rests on its key.';

CREATE TABLE log_head (
    position    bigint           NOT NULL,
    recorded_at timestamptz      NOT NULL,
    epoch       integer          NOT NULL DEFAULT 1,
    tenant      text COLLATE "C" NOT NULL,
    root        bytea            NOT NULL,
    frontier    bytea            NOT NULL,
    CONSTRAINT log_head_pkey PRIMARY KEY (tenant, position),
    CONSTRAINT log_head_tenant_fkey FOREIGN KEY (tenant) REFERENCES log_identity (tenant),
    CONSTRAINT log_head_position_check CHECK (position >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE log_head IS
    'The end of each log: one row per tenant, locked by whoever appends.';
COMMENT ON COLUMN log_head.position IS
    'The last event; 0 = not opened yet. Part of the key although a tenant has one row: the row changes with every batch, and the newest of its versions is then the first that an index scan from the end finds, however many dead ones a long transaction (a backup, say) keeps alive.';
COMMENT ON COLUMN log_head.epoch IS 'Rises by one when the log is restored from a backup.';
COMMENT ON COLUMN log_head.root IS 'The Merkle root over all leaves.';
COMMENT ON COLUMN log_head.frontier IS
    'The roots of the complete subtrees, largest first, 32 bytes each, as many as position has one-bits.';

CREATE TABLE event (
    position       bigint           NOT NULL,
    revision       bigint           NOT NULL,
    occurred_at    timestamptz      NOT NULL,
    recorded_at    timestamptz      NOT NULL,
    schema_version integer          NOT NULL,
    format         smallint         NOT NULL,
    log_id         uuid             NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    namespace      text COLLATE "C" NOT NULL,
    event_id       text COLLATE "C" NOT NULL,
    stream         text COLLATE "C" NOT NULL,
    type           text COLLATE "C" NOT NULL,
    content_hash   bytea            NOT NULL,
    body_hash      bytea,
    text_hash      bytea,
    metadata       bytea            NOT NULL,
    data           bytea            NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (tenant, position),
    CONSTRAINT event_position_check CHECK (position >= 1),
    CONSTRAINT event_revision_check CHECK (revision >= 0)
) PARTITION BY RANGE (position);
COMMENT ON TABLE event IS
    'What happened, for ever: rows are inserted, never changed. Partitions hold the same range of positions of every tenant.';
COMMENT ON COLUMN event.position IS 'The place in the tenant''s log: from 1, without holes.';
COMMENT ON COLUMN event.revision IS
    'The place in the stream, from 0, without holes. Not under a unique key, which would have to hold the partition''s position; the lock on log_head keeps it exact.';
COMMENT ON COLUMN event.format IS 'The version of these columns and of the leaf''s encoding.';
COMMENT ON COLUMN event.recorded_at IS 'When the log accepted it; never before its predecessor.';
COMMENT ON COLUMN event.data IS 'UTF-8 JSON in exactly the bytes that were hashed; see the view event_json.';
COMMENT ON COLUMN event.metadata IS 'UTF-8 JSON in exactly the bytes that were hashed.';
COMMENT ON COLUMN event.body_hash IS 'SHA-256 over a tag, the salt and the redacted webhook body in webhook_events.';
COMMENT ON COLUMN event.text_hash IS 'SHA-256 over a tag, the salt and the text in event_text.';

-- Only streams that may hold several events are found through this index; the one event of any
-- other stream is found by its key. Queries must repeat the condition word by word.
CREATE INDEX event_stream_idx ON event (tenant, stream, revision)
    WHERE stream = 'tenant' OR stream LIKE 'trainer-%' OR stream LIKE 'usage-%';

CREATE VIEW event_json WITH (security_invoker = true) AS
SELECT log_id, format, tenant, position, namespace, event_id, stream, revision, type,
       schema_version, occurred_at, recorded_at,
       convert_from(data, 'UTF8')::json AS data,
       convert_from(metadata, 'UTF8')::json AS metadata,
       content_hash, body_hash, text_hash
FROM event;
COMMENT ON VIEW event_json IS 'The log with data and metadata as JSON, for reading by eye.';

CREATE TABLE event_dedup (
    position     bigint           NOT NULL,
    revision     bigint           NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    namespace    text COLLATE "C" NOT NULL,
    event_id     text COLLATE "C" NOT NULL,
    content_hash bytea            NOT NULL,
    CONSTRAINT event_dedup_pkey PRIMARY KEY (tenant, namespace, event_id)
) PARTITION BY HASH (event_id);
COMMENT ON TABLE event_dedup IS
    'Every key that was ever appended, and where. For a stream of one event it is the stream''s head too.';

CREATE TABLE log_seal (
    size        bigint           NOT NULL,
    recorded_at timestamptz      NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    root        bytea            NOT NULL,
    CONSTRAINT log_seal_pkey PRIMARY KEY (tenant, size)
);
COMMENT ON TABLE log_seal IS 'The Merkle root after each batch.';
COMMENT ON COLUMN log_seal.size IS 'The number of leaves, which is the position of the batch''s last event.';

CREATE TABLE webhook_events (
    position bigint           NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    salt     bytea            NOT NULL,
    body     bytea            NOT NULL,
    CONSTRAINT webhook_events_pkey PRIMARY KEY (tenant, position)
);
-- The application has compressed it already.
ALTER TABLE webhook_events ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE webhook_events IS
    'Redacted webhook bodies, beside the log so that they can be deleted; event.body_hash binds them.';
COMMENT ON COLUMN webhook_events.body IS 'An LZ4 block behind its length (u32, little-endian).';
COMMENT ON COLUMN webhook_events.salt IS 'Goes with the body: without it the hash tells nothing.';

CREATE TABLE event_text (
    position bigint           NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    salt     bytea            NOT NULL,
    text     text             NOT NULL,
    CONSTRAINT event_text_pkey PRIMARY KEY (tenant, position)
);
COMMENT ON TABLE event_text IS
    'Free texts (reasons, notes), beside the log so that they can be deleted; event.text_hash binds them.';

CREATE TABLE usage_entry (
    occurred_at timestamptz      NOT NULL,
    position    bigint           NOT NULL,
    quantity    bigint           NOT NULL,
    held        bigint,
    held_until  timestamptz,
    hold_id     uuid,
    tenant      text COLLATE "C" NOT NULL,
    trainer     text COLLATE "C" NOT NULL,
    feature     text COLLATE "C" NOT NULL,
    -- The quantity rides along so that a sum need not look at the table.
    CONSTRAINT usage_entry_pkey PRIMARY KEY (tenant, trainer, feature, occurred_at, position)
        INCLUDE (quantity),
    CONSTRAINT usage_entry_hold_check CHECK (
        (held IS NULL) = (held_until IS NULL) AND (held IS NULL OR (hold_id IS NOT NULL AND quantity = 0))
    )
);
CREATE INDEX usage_entry_hold_idx ON usage_entry (tenant, hold_id, position)
    WHERE hold_id IS NOT NULL;
CREATE INDEX usage_entry_until_idx ON usage_entry (tenant, trainer, feature, held_until)
    WHERE held_until IS NOT NULL;
COMMENT ON TABLE usage_entry IS
    'What each event did to usage, written with it. Sums over this table are what limits are checked against.';
COMMENT ON COLUMN usage_entry.quantity IS 'What counts; 0 for a hold, negative when a standing count goes down.';
COMMENT ON COLUMN usage_entry.held IS 'What a hold keeps until held_until, unless a later row has its hold_id.';
COMMENT ON COLUMN usage_entry.hold_id IS 'Of a hold, or of the row that settles it.';

-- A partition is made beside the table and attached, which neither readers nor writers wait for.
CREATE FUNCTION ensure_event_partition(reach bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    rows_per_partition CONSTANT bigint := 30000000;
    next_number bigint;
    child text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_event_partition'));
    SELECT coalesce(max(substring(c.relname FROM '^event_p([0-9]+)$')::bigint) + 1, 0)
      INTO next_number
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'public.event'::regclass;
    WHILE next_number * rows_per_partition < reach LOOP
        child := 'event_p' || lpad(next_number::text, 5, '0');
        EXECUTE format('CREATE TABLE public.%I (LIKE public.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', child);
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', child);
        EXECUTE format('ALTER TABLE public.event ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
            child, next_number * rows_per_partition + 1, (next_number + 1) * rows_per_partition + 1);
        next_number := next_number + 1;
    END LOOP;
    RETURN next_number * rows_per_partition;
END
$$;
COMMENT ON FUNCTION ensure_event_partition(bigint) IS
    'Makes the partitions of event up to a position, and tells the last position that has one.';
REVOKE ALL ON FUNCTION ensure_event_partition(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_event_partition(bigint) TO ledger_writer;

DO $$
DECLARE
    child text;
    name text;
BEGIN
    -- Values over 2 kB are compressed by the server: lz4 where it can.
    BEGIN
        ALTER TABLE event ALTER COLUMN data SET COMPRESSION lz4;
    EXCEPTION WHEN feature_not_supported THEN
        NULL;
    END;

    FOR number IN 0..3 LOOP
        child := 'event_dedup_h' || number;
        EXECUTE format('CREATE TABLE %I PARTITION OF event_dedup FOR VALUES WITH (MODULUS 4, REMAINDER %s)', child, number);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', child);
    END LOOP;

    FOREACH name IN ARRAY ARRAY['log_identity', 'log_head', 'event', 'event_dedup', 'log_seal',
                                'webhook_events', 'event_text', 'usage_entry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        -- The owner migrates, backs up and reads by eye.
        EXECUTE format('CREATE POLICY %I ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', name || '_owner', name);
        -- Writer and projector work for every tenant; their statements name it.
        EXECUTE format('CREATE POLICY %I ON %I TO ledger_writer USING (true) WITH CHECK (true)', name || '_writer', name);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO ledger_projector USING (true)', name || '_projector', name);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO ledger_auditor USING (tenant = (SELECT current_tenant()))', name || '_auditor', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO ledger_writer', name);
        EXECUTE format('GRANT SELECT ON %I TO ledger_projector, ledger_auditor', name);
    END LOOP;
END
$$;
GRANT UPDATE ON log_head TO ledger_writer;
GRANT DELETE ON webhook_events, event_text TO ledger_writer;
GRANT SELECT ON event_json TO ledger_writer, ledger_projector, ledger_auditor;

SELECT ensure_event_partition(1);
