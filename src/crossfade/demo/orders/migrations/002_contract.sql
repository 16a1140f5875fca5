-- The nightly export is gone with 1.3.0, and with it the last reader of this column.
alter table orders drop column last_change;
