alter table items add column price integer;
create function both_prices() returns trigger language plpgsql as $$
begin
  new.price := coalesce(new.price, new.legacy_price);
  new.legacy_price := coalesce(new.legacy_price, new.price);
  return new;
end $$;
create trigger both_prices before insert on items for each row execute function both_prices();
update items set price = legacy_price;
