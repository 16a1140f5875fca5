alter table rooms add column guest_name text;
create function both_names() returns trigger language plpgsql as $$
begin
  new.guest := coalesce(new.guest, new.guest_name);
  new.guest_name := coalesce(new.guest_name, new.guest);
  return new;
end $$;
create trigger both_names before insert on rooms for each row execute function both_names();
update rooms set guest_name = guest;
