SELECT k.ordinal, NULL::uuid AS hold_id, s.used AS quantity, NULL::timestamptz AS held_until
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
         WITH ORDINALITY AS k (tenant, trainer, feature, since, until, ordinal)
CROSS JOIN LATERAL (
    SELECT least(greatest(coalesce(sum(u.quantity), 0), -9e18), 9e18)::bigint AS used
    FROM usage_entry u
    WHERE u.tenant = k.tenant AND u.trainer = k.trainer AND u.feature = k.feature
      AND u.occurred_at >= k.since AND u.occurred_at < k.until
) s
UNION ALL
SELECT k.ordinal, h.hold_id, h.held, h.held_until
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
         WITH ORDINALITY AS k (tenant, trainer, feature, since, until, ordinal)
JOIN usage_entry h
  ON h.tenant = k.tenant AND h.trainer = k.trainer AND h.feature = k.feature
 AND h.held_until > $6::timestamptz
 AND h.occurred_at >= k.since AND h.occurred_at < k.until
WHERE NOT EXISTS (
    SELECT FROM usage_entry later
    WHERE later.tenant = h.tenant AND later.hold_id = h.hold_id AND later.position > h.position
      AND later.trainer = h.trainer AND later.feature = h.feature
)
