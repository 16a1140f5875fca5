alter table pages add column revision integer;
