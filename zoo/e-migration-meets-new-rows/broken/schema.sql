create table contacts (id bigserial primary key, name text not null, phone text);
insert into contacts (name, phone) values ('Dennis', '5551234');
