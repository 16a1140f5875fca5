create table people (
  id bigserial primary key,
  name text not null,
  email text not null,
  created_at timestamptz not null default now()
);
