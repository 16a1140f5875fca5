create table orders (
  id uuid primary key default gen_random_uuid(),
  customer text not null,
  total integer not null,
  ordered_at timestamptz not null default now()
);
create table invoices (
  id uuid primary key default gen_random_uuid(),
  order_id uuid not null,
  total integer not null,
  issued_at timestamptz not null default now()
);
create index on invoices (order_id);
