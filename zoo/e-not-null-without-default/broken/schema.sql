create table payments (id bigserial primary key, amount integer not null, made_at timestamptz not null default now());
insert into payments (amount) values (100), (200);
