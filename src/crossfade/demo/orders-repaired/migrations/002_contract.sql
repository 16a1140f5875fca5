-- 1.2.3 still writes this column: dropped only when it can no longer come back (`rollback` in ramp.yaml).
alter table orders drop column last_change;

-- Every order has a currency since the backfill.
alter table orders alter column currency set not null;
