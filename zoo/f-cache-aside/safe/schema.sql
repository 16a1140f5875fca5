create table products (
  id bigserial primary key,
  name text not null,
  price integer not null,
  changed_at timestamptz not null default now()
);
