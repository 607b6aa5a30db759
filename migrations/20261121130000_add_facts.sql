-- What decides about usage, other than usage itself, is told by a position of its own: a decision
-- need not wait for read models to take in the usage of everybody else.
ALTER TABLE log_head ADD COLUMN facts bigint NOT NULL DEFAULT 0;
UPDATE log_head SET facts = position;
ALTER TABLE log_head ADD CONSTRAINT log_head_facts_check CHECK (facts BETWEEN 0 AND position);
COMMENT ON COLUMN log_head.facts IS 'The last event that is not usage.';
