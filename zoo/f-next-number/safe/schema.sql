create table invoices (
  number bigserial primary key,
  customer text not null,
  cents integer not null,
  receipt uuid not null default gen_random_uuid(),
  issued_at timestamptz not null default now()
);
insert into invoices (customer, cents) select 'Customer ' || n, 100 * n from generate_series(1, 12) n;
