WITH head AS MATERIALIZED (
    SELECT h.tenant
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::bytea[])
             AS expected (tenant, position, epoch, root)
    -- One after another in the order in which they are given, each by its whole key: a walk along
    -- all versions of a head would grow with every append while a long transaction runs.
    CROSS JOIN LATERAL (
        SELECT log_head.tenant FROM log_head
        WHERE log_head.tenant = expected.tenant AND log_head.position = expected.position
          AND log_head.epoch = expected.epoch AND log_head.root = expected.root
        FOR UPDATE
    ) h
),
fence AS MATERIALIZED (
    SELECT count(*) = cardinality($1) AS heads_hold,
           $5::timestamptz BETWEEN statement_timestamp() - interval '1 second'
                               AND statement_timestamp() + interval '1 second' AS clock_holds
    FROM head
),
twice AS MATERIALIZED (/* twice */),
go AS MATERIALIZED (
    SELECT heads_hold AND clock_holds AND NOT EXISTS (SELECT FROM twice) AS ok FROM fence
),
/* moved */
sealed AS (
    INSERT INTO log_seal (tenant, size, recorded_at, root, leaves)
    SELECT unnest($6::text[]), unnest($8::bigint[]), unnest($9::timestamptz[]),
           unnest($10::bytea[]), unnest($13::bytea[])
    WHERE (SELECT ok FROM go)
),
-- Before the events, so that a key that is there already costs the least.
keys AS (
    INSERT INTO event_dedup (tenant, position, revision, namespace, event_id, content_hash)
    SELECT unnest($14::text[]), unnest($15::bigint[]), unnest($16::bigint[]),
           unnest($21::text[]), unnest($22::text[]), unnest($25::bytea[])
    WHERE (SELECT ok FROM go)
),
events AS (
    INSERT INTO event (format, tenant, position, revision, occurred_at, recorded_at,
                       schema_version, log_id, namespace, event_id, stream, type, content_hash,
                       body_hash, text_hash, metadata, data)
    SELECT 1, unnest($14::text[]), unnest($15::bigint[]), unnest($16::bigint[]),
           unnest($17::timestamptz[]), unnest($18::timestamptz[]), unnest($19::integer[]),
           unnest($20::uuid[]), unnest($21::text[]), unnest($22::text[]), unnest($23::text[]),
           unnest($24::text[]), unnest($25::bytea[]), unnest($26::bytea[]), unnest($27::bytea[]),
           unnest($28::bytea[]), unnest($29::bytea[])
    WHERE (SELECT ok FROM go)
)/* parts */
SELECT fence.heads_hold, fence.clock_holds,
       twice.ordinal, twice.position, twice.revision, twice.content_hash
FROM fence LEFT JOIN twice ON true
