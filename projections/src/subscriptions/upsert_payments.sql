INSERT INTO payment_logs (tenant, object_id, kind, customer_id, trainer_id, subscription_id,
    invoice_id, payment_id, status, amount_minor, paid_minor, refunded_minor, currency, created_at,
    updated_at, lost_at, attempt_count, next_attempt_at, reason, event_ids, position)
SELECT $1, object_id, kind, customer_id, trainer_id, subscription_id, invoice_id, payment_id,
    status, amount_minor, paid_minor, refunded_minor, currency, created_at, updated_at, lost_at,
    attempt_count, next_attempt_at, reason, string_to_array(event_ids, ' '), position
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::timestamptz[],
    $15::timestamptz[], $16::timestamptz[], $17::bigint[], $18::timestamptz[], $19::text[],
    $20::text[], $21::bigint[])
    AS new (object_id, kind, customer_id, trainer_id, subscription_id, invoice_id, payment_id,
    status, amount_minor, paid_minor, refunded_minor, currency, created_at, updated_at, lost_at,
    attempt_count, next_attempt_at, reason, event_ids, position)
ON CONFLICT (tenant, object_id) DO UPDATE SET
    kind = excluded.kind,
    customer_id = excluded.customer_id,
    trainer_id = excluded.trainer_id,
    subscription_id = excluded.subscription_id,
    invoice_id = excluded.invoice_id,
    payment_id = excluded.payment_id,
    status = excluded.status,
    amount_minor = excluded.amount_minor,
    paid_minor = excluded.paid_minor,
    refunded_minor = excluded.refunded_minor,
    currency = excluded.currency,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    lost_at = excluded.lost_at,
    attempt_count = excluded.attempt_count,
    next_attempt_at = excluded.next_attempt_at,
    reason = excluded.reason,
    event_ids = excluded.event_ids,
    position = excluded.position
