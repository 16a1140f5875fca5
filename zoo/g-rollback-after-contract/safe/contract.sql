drop trigger both_names on rooms;
drop function both_names;
alter table rooms drop column guest;
