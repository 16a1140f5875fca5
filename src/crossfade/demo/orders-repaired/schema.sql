-- The database as orders 1.2.3 knows it.
create table products (
    sku   text primary key,
    price integer not null                            -- whole euros
);

create table orders (
    id          serial primary key,
    customer    text not null,
    sku         text not null references products,
    quantity    integer not null,
    amount      integer not null,                     -- cents
    note        text,                                 -- for the courier
    method      text not null default 'invoice',      -- invoice, card
    status      text not null default 'open',         -- open, paid
    created_at  timestamptz not null default now(),
    last_change timestamptz                           -- read by the old nightly export
);

create index orders_by_customer on orders (customer);

insert into products (sku, price) values ('A1', 12), ('B2', 30), ('C3', 7);
