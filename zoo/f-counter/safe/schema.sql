create table queues (
  id serial primary key,
  name text not null,
  drawn integer not null default 0,
  opened_at timestamptz not null default now()
);
create table tickets (
  id uuid primary key default gen_random_uuid(),
  queue integer not null,
  number integer not null,
  drawn_at timestamptz not null default now()
);
