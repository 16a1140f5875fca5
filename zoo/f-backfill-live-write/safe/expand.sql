alter table wallets add column search_name text;
