create table last (key text primary key, step integer not null, by text not null);
create table log (id bigserial primary key, step integer not null, by text not null);
