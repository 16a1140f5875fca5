create table wallets (
  id bigserial primary key,
  owner text not null,
  balance integer not null,
  changed_at timestamptz not null default now()
);
insert into wallets (owner, balance) select 'Customer ' || n, 10 * n from generate_series(1, 12) n;
