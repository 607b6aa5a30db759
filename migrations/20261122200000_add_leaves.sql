-- What tells the one altered event from all that are sound: the root over a batch only says that
-- something is wrong.
ALTER TABLE log_seal ADD COLUMN leaves bytea;
-- Hashes can't be compressed.
ALTER TABLE log_seal ALTER COLUMN leaves SET STORAGE EXTERNAL;
ALTER TABLE log_seal
    ADD CONSTRAINT log_seal_leaves_check CHECK (octet_length(leaves) > 0 AND octet_length(leaves) % 32 = 0);
COMMENT ON COLUMN log_seal.leaves IS
    'The leaves of the batch''s events in order, 32 bytes each; null where the batch is older than this column. As trustworthy as a root outside the database that they hash to.';
