-- Room for what 1.3.0 keeps. Adding nullable columns locks the table only for a moment; the default is set
-- afterwards, so it holds for new orders (also those of 1.2.3) and leaves the old ones to the backfill.
alter table orders add column currency text;
alter table orders alter column currency set default 'EUR';
alter table orders add column details jsonb;
