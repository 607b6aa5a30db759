-- Usage by day. Made in a schema of its own by the role that writes it; every version of the read
-- model comes from this file.
--
-- Which window usage counts in depends on what the trainer holds when somebody asks, and so on the
-- clock. Rows don't: a period is one UTC day, or all time. Any window is a sum of days, and where
-- it begins or ends within a day whose usage lies on both sides, the log knows.

-- The key's order serves a trainer's meters (every feature of a window) as well as one feature.
CREATE TABLE tier_usage_tracking (
    tenant        text COLLATE "C" NOT NULL,
    trainer_id    text COLLATE "C" NOT NULL,
    period_start  timestamptz      NOT NULL,
    period_end    timestamptz      NOT NULL,
    feature       text COLLATE "C" NOT NULL,
    used          bigint           NOT NULL,
    first_used_at timestamptz      NOT NULL,
    last_used_at  timestamptz      NOT NULL,
    position      bigint           NOT NULL,
    CONSTRAINT tier_usage_tracking_pkey
        PRIMARY KEY (tenant, trainer_id, period_start, period_end, feature),
    CONSTRAINT tier_usage_tracking_period CHECK (
        period_start <= first_used_at AND first_used_at <= last_used_at
        AND last_used_at < period_end)
) WITH (fillfactor = 80);
COMMENT ON COLUMN tier_usage_tracking.period_start IS
    'midnight UTC; the year 0 for the row of all time, which is the standing count';
COMMENT ON COLUMN tier_usage_tracking.used IS
    'what counts; a negative sum is kept, since a release may be told before what it releases';

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
