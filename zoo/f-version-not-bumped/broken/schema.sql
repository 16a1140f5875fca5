create table profiles (
  id bigserial primary key,
  document jsonb not null,
  version integer not null default 1,
  changed_at timestamptz not null default now()
);
