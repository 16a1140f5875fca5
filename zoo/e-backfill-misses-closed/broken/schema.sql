create table invoices (
  id bigserial primary key,
  total integer not null,
  status text not null default 'open',
  changed_at timestamptz not null default now()
);
insert into invoices (total, status) select 100 * n, 'open' from generate_series(1, 20) n;
