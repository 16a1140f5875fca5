create table handles (
  handle text primary key,
  owner text not null,
  claim uuid not null default gen_random_uuid(),
  claimed_at timestamptz not null default now()
);
insert into handles (handle, owner) values ('root', 'nobody'), ('admin', 'nobody');
