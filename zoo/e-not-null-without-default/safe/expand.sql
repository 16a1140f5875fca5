alter table payments add column currency text;
update payments set currency = 'EUR';
alter table payments alter column currency set not null;
alter table payments alter column currency set default 'EUR'; -- 1.9.0 writes none
