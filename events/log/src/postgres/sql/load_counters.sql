-- Planned when the table is empty, where all indexes look alike: each look gives the server the
-- conditions of the index that is meant and of no other.
SELECT k.ordinal, NULL::uuid AS hold_id, s.used AS quantity, NULL::timestamptz AS held_until
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[])
         WITH ORDINALITY AS k (tenant, trainer, feature, since, until, tip, ordinal)
CROSS JOIN LATERAL (
    SELECT least(greatest(coalesce(sum(u.quantity), 0), -9e18), 9e18)::bigint AS used
    FROM usage_entry u
    WHERE u.tenant = k.tenant AND u.trainer = k.trainer AND u.feature = k.feature
      AND u.occurred_at >= k.since AND u.occurred_at < k.until AND u.position + 0 <= k.tip
) s
UNION ALL
SELECT k.ordinal, h.hold_id, h.held, h.held_until
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[])
         WITH ORDINALITY AS k (tenant, trainer, feature, since, until, tip, ordinal)
CROSS JOIN LATERAL (
    SELECT r.hold_id, r.held, r.held_until, r.occurred_at, r.position FROM usage_entry r
    WHERE r.tenant = k.tenant AND r.trainer = k.trainer AND r.feature = k.feature
      AND r.held_until > $7::timestamptz
    OFFSET 0
) h
WHERE h.occurred_at >= k.since AND h.occurred_at < k.until AND h.position <= k.tip
  AND NOT EXISTS (
    SELECT FROM (
        SELECT l.position, l.trainer, l.feature FROM usage_entry l
        WHERE l.tenant = k.tenant AND l.hold_id = h.hold_id
        OFFSET 0
    ) later
    WHERE later.position > h.position AND later.position <= k.tip
      AND later.trainer = k.trainer AND later.feature = k.feature
)
