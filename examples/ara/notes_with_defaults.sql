-- What migration 0019 of ARA 1.7.5 adds to `tasks`, with a default that stays: 1.7.3 does not know these columns, and
-- Django takes the default away again after it has filled the rows that are there.
ALTER TABLE tasks ADD COLUMN deprecations jsonb NOT NULL DEFAULT '[]';
ALTER TABLE tasks ADD COLUMN exceptions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE tasks ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
