SELECT fence.heads_hold, true AS clock_holds,
       twice.ordinal, twice.position, twice.revision, twice.content_hash
FROM (
    SELECT count(*) = cardinality($1) AS heads_hold
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::bytea[])
             AS expected (tenant, position, epoch, root)
    CROSS JOIN LATERAL (
        SELECT FROM log_head
        WHERE log_head.tenant = expected.tenant AND log_head.position = expected.position
          AND log_head.epoch = expected.epoch AND log_head.root = expected.root
        OFFSET 0
    ) h
) fence
LEFT JOIN (
    SELECT k.ordinal, d.position, d.revision, d.content_hash
    FROM unnest($5::text[], $6::text[], $7::text[])
             WITH ORDINALITY AS k (tenant, namespace, event_id, ordinal)
    JOIN event_dedup d USING (tenant, namespace, event_id)
) twice ON true
