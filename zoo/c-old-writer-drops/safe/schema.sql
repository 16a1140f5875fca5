create table carts (id uuid primary key, document jsonb not null, changed_at timestamptz not null default now());
