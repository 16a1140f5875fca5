create table accounts (
  id bigserial primary key,
  owner text not null,
  balance integer not null check (balance >= 0),
  version integer not null default 1,
  changed_at timestamptz not null default now()
);
create table withdrawals (
  id uuid primary key,
  account bigint not null references accounts,
  amount integer not null,
  made_at timestamptz not null default now()
);
