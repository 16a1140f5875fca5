create table orders (id bigserial primary key, sku text not null, status text not null default 'OPEN');
