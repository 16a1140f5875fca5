drop trigger both_prices on items;
drop function both_prices;
alter table items drop column legacy_price;
