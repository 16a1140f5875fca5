alter table payments add column currency text;
update payments set currency = 'EUR';
alter table payments alter column currency set not null;
-- 1.10.0 always writes a currency
