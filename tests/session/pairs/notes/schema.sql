create table notes (id serial primary key, text text, body text, writer text);
