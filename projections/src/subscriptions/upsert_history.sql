-- Only steps that changed: a fact in time adds a step and leaves the older ones as they are.
-- OFFSET 0 makes the server look each one up in the index, whatever it thinks of the table's size.
INSERT INTO tier_history (tenant, subject, ordinal, trainer_id, change, from_prices, to_prices,
    tier, feature, at, actor, event_id, position)
SELECT $1, new.subject, new.ordinal, new.trainer_id, new.change,
    string_to_array(new.from_prices, ' '), string_to_array(new.to_prices, ' '), new.tier,
    new.feature, new.at, new.actor, new.event_id, new.position
FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::bigint[])
    AS new (subject, ordinal, trainer_id, change, from_prices, to_prices, tier, feature, at, actor,
    event_id, position)
LEFT JOIN LATERAL (
    SELECT * FROM tier_history AS h
    WHERE h.tenant = $1 AND h.subject = new.subject AND h.ordinal = new.ordinal
    OFFSET 0) AS old ON true
WHERE old.tenant IS NULL
    OR (old.trainer_id, old.change, old.from_prices, old.to_prices, old.tier, old.feature, old.at,
        old.actor, old.event_id, old.position)
    IS DISTINCT FROM
        (new.trainer_id, new.change, string_to_array(new.from_prices, ' '),
        string_to_array(new.to_prices, ' '), new.tier, new.feature, new.at, new.actor,
        new.event_id, new.position)
ON CONFLICT (tenant, subject, ordinal) DO UPDATE SET
    trainer_id = excluded.trainer_id,
    change = excluded.change,
    from_prices = excluded.from_prices,
    to_prices = excluded.to_prices,
    tier = excluded.tier,
    feature = excluded.feature,
    at = excluded.at,
    actor = excluded.actor,
    event_id = excluded.event_id,
    position = excluded.position
