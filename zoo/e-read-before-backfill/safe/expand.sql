alter table articles add column slug text;
create function slugged() returns trigger language plpgsql as $$
begin
  new.slug := coalesce(new.slug, replace(lower(new.title), ' ', '-'));
  return new;
end $$;
create trigger slugged before insert on articles for each row execute function slugged();
