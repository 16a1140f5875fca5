alter table invoices add column total_cents bigint;
create function fill_total_cents() returns trigger language plpgsql as $$
begin
  new.total_cents := new.total;
  return new;
end $$;
create trigger fill_total_cents before insert or update of status on invoices
  for each row execute function fill_total_cents();
