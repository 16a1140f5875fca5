alter table contacts alter column phone type bigint using phone::bigint;
