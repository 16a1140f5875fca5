create table orders (id bigserial primary key, document jsonb not null);
