create table accounts (id bigserial primary key, owner text not null, cents bigint not null check (cents >= 0));
create table transfers (
  id uuid primary key default gen_random_uuid(),
  payer bigint not null references accounts,
  payee bigint not null references accounts,
  cents bigint not null,
  booked_at timestamptz not null default now()
);
