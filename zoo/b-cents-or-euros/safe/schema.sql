create table products (id bigserial primary key, name text not null, price bigint not null, written_by text not null);
insert into products (name, price, written_by) values ('free sample', 0, '2.4.1');
