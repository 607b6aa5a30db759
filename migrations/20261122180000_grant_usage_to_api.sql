-- An answer about a trainer is read in one statement, which sums parts of days as well. So whoever
-- answers sees what was used: of the log this table alone, of it the rows of one trainer, and of
-- these nothing about holds.
CREATE POLICY usage_entry_api ON usage_entry FOR SELECT TO ledger_api USING (
    tenant = (SELECT current_tenant())
    AND ((SELECT current_user_id()) = '*' OR trainer = (SELECT current_user_id())));
GRANT SELECT (tenant, trainer, feature, occurred_at, position, quantity) ON usage_entry
    TO ledger_api;
