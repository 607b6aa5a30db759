-- Only items that changed: most facts about a subscription leave its items as they are. OFFSET 0
-- makes the server look each one up in the index, whatever it thinks of the table's size.
INSERT INTO subscription_items (tenant, subscription_id, ordinal, trainer_id, item_id, price_id,
    product_id, quantity, currency, unit_amount_minor, unit_amount_decimal, "interval",
    interval_count, usage_type, current_period_start, current_period_end)
SELECT $1, new.*
FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::bigint[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[],
    $15::timestamptz[], $16::timestamptz[])
    AS new (subscription_id, ordinal, trainer_id, item_id, price_id, product_id, quantity,
    currency, unit_amount_minor, unit_amount_decimal, "interval", interval_count, usage_type,
    current_period_start, current_period_end)
LEFT JOIN LATERAL (
    SELECT * FROM subscription_items AS i
    WHERE i.tenant = $1 AND i.subscription_id = new.subscription_id AND i.ordinal = new.ordinal
    OFFSET 0) AS old ON true
WHERE old.tenant IS NULL
    OR (old.trainer_id, old.item_id, old.price_id, old.product_id, old.quantity, old.currency,
        old.unit_amount_minor, old.unit_amount_decimal, old."interval", old.interval_count,
        old.usage_type, old.current_period_start, old.current_period_end)
    IS DISTINCT FROM
        (new.trainer_id, new.item_id, new.price_id, new.product_id, new.quantity, new.currency,
        new.unit_amount_minor, new.unit_amount_decimal, new."interval", new.interval_count,
        new.usage_type, new.current_period_start, new.current_period_end)
ON CONFLICT (tenant, subscription_id, ordinal) DO UPDATE SET
    trainer_id = excluded.trainer_id,
    item_id = excluded.item_id,
    price_id = excluded.price_id,
    product_id = excluded.product_id,
    quantity = excluded.quantity,
    currency = excluded.currency,
    unit_amount_minor = excluded.unit_amount_minor,
    unit_amount_decimal = excluded.unit_amount_decimal,
    "interval" = excluded."interval",
    interval_count = excluded.interval_count,
    usage_type = excluded.usage_type,
    current_period_start = excluded.current_period_start,
    current_period_end = excluded.current_period_end
