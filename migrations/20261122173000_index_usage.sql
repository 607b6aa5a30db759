-- What other processes have done to usage since a position: so a process that remembers sums adds
-- to them, and need not read whole windows again.
CREATE INDEX usage_entry_position_idx ON usage_entry (tenant, position);
