create table rooms (id bigserial primary key, guest text);
