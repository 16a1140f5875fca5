create table articles (id bigserial primary key, title text not null);
