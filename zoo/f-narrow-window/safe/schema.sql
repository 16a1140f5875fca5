create table customers (id bigserial primary key, name text not null);
create table points (customer bigint primary key references customers, balance integer not null default 0);
create table zones (zone text primary key, carrier text not null, fee integer not null);
create table taxes (zone text primary key references zones, percent integer not null);
create table products (sku text primary key, title text not null);
create table prices (sku text primary key references products, cents integer not null);
create table templates (name text primary key, subject text not null);
create table orders (
  id bigserial primary key,
  customer bigint not null references customers,
  zone text not null references zones,
  receipt uuid not null default gen_random_uuid(),
  placed_at timestamptz not null default now()
);
create table order_lines (
  id bigserial primary key,
  order_id bigint not null references orders,
  sku text not null references products,
  title text not null,
  count integer not null,
  cents integer not null
);
create table payments (id bigserial primary key, order_id bigint not null references orders, cents integer not null);
create table parcels (id bigserial primary key, order_id bigint not null references orders, carrier text not null);
create table mails (id bigserial primary key, order_id bigint not null references orders, text text not null);
create table audit (
  id bigserial primary key,
  order_id bigint not null references orders,
  event text not null,
  at timestamptz not null default clock_timestamp()
);
insert into zones values ('north', 'Polar Post', 900), ('south', 'Sun Parcels', 490);
insert into taxes values ('north', 25), ('south', 22);
insert into products values ('A1', 'Compass'), ('B2', 'Sextant'), ('C3', 'Chart');
insert into prices values ('A1', 2500), ('B2', 19900), ('C3', 1200);
insert into templates values ('thanks', 'Thank you'), ('sorry', 'We are sorry');
