-- Usage by window. Made in a schema of its own by the role that writes it; every version of the
-- read model comes from this file.

-- The key's order serves a trainer's meters (every feature of a window) as well as one feature.
CREATE TABLE tier_usage_tracking (
    tenant       text COLLATE "C"        NOT NULL,
    trainer_id   text COLLATE "C"        NOT NULL,
    period_start timestamptz NOT NULL,
    period_end   timestamptz NOT NULL,
    feature      text COLLATE "C"        NOT NULL,
    used         bigint      NOT NULL,
    last_used_at timestamptz NOT NULL,
    position     bigint      NOT NULL,
    CONSTRAINT tier_usage_tracking_pkey
        PRIMARY KEY (tenant, trainer_id, period_start, period_end, feature),
    CONSTRAINT tier_usage_tracking_period CHECK (period_start < period_end)
) WITH (fillfactor = 80);
COMMENT ON COLUMN tier_usage_tracking.period_end IS
    'the first instant after the window; the year 9999 for a standing count, which never starts afresh';
COMMENT ON COLUMN tier_usage_tracking.used IS
    'what counts; a negative sum is kept, since a late release may come before what it releases';

ALTER TABLE tier_usage_tracking ENABLE ROW LEVEL SECURITY;
ALTER TABLE tier_usage_tracking FORCE ROW LEVEL SECURITY;
CREATE POLICY projector ON tier_usage_tracking TO ledger_projector USING (true);
CREATE POLICY api ON tier_usage_tracking FOR SELECT TO ledger_api USING (
    tenant = (SELECT public.current_tenant())
    AND ((SELECT public.current_user_id()) = '*'
        OR trainer_id = (SELECT public.current_user_id())));
CREATE POLICY auditor ON tier_usage_tracking FOR SELECT TO ledger_auditor
    USING (tenant = (SELECT public.current_tenant()));
GRANT SELECT ON tier_usage_tracking TO ledger_api, ledger_auditor;
