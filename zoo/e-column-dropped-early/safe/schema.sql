create table items (id uuid primary key default gen_random_uuid(), legacy_price integer);
