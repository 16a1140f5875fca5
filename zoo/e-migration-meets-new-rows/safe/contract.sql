alter table contacts alter column phone type bigint using nullif(phone, '')::bigint;
