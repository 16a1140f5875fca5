create table accounts (
  id uuid primary key default gen_random_uuid(),
  email text not null,
  name text not null,
  joined_at timestamptz not null default clock_timestamp()
);
create index accounts_email on accounts (email);
insert into accounts (email, name) select 'user' || n || '@example.org', 'User ' || n from generate_series(1, 30) n;
