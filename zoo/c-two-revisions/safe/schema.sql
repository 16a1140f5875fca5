create table pages (id bigserial primary key, document jsonb not null);
