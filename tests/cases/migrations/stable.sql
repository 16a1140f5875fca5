-- What the stable sends: one statement a line, run as `app`. Each gives the same before and after a migration, or it breaks.
SELECT id, customer_id, status, amount, price, note, item, source FROM orders ORDER BY id
SELECT id, email, name, phone, tier, points FROM customers ORDER BY id
INSERT INTO customers (email, name) VALUES ('eve@x', 'Eve') RETURNING email, name, phone, tier, points
INSERT INTO customers (email, name, phone, tier, points) VALUES ('fay@x', 'Ada', '7', 'gold', 5) RETURNING tier
INSERT INTO customers (email, name) VALUES ('ada@x', 'Ada L') ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING name
INSERT INTO customers (email, name) VALUES ('dup@x', 'Dup'), ('dup@x', 'Dup')
INSERT INTO orders (customer_id, amount) VALUES (1, 0) RETURNING customer_id, status, amount, price, note, item, source
INSERT INTO orders (customer_id, status, amount, price, note, item) VALUES (NULL, 'sent', 2000000, 12345678.90, NULL, NULL) RETURNING status
INSERT INTO orders (customer_id, amount, note, item) VALUES (2, 7, 'a note that is a little longer than some people would think', 'C3') RETURNING note
INSERT INTO orders (customer_id, amount, note) VALUES (2, 7, 'n') RETURNING note
INSERT INTO orders (customer_id, amount) VALUES (999, 7)
INSERT INTO orders (customer_id, amount) VALUES (1, -1)
UPDATE orders SET amount = amount + 1, note = 'changed', status = 'paid' WHERE id = 1 RETURNING amount, note, status
UPDATE customers SET phone = '12345678901234567890', name = 'Robert Bob Bobson the third of his name' WHERE email = 'bob@x' RETURNING phone
SELECT points FROM customers WHERE email = 'ada@x'
SELECT count(*) FROM orders WHERE status = 'new'
SELECT count(*) FROM orders WHERE status = 'sent'::order_status
SELECT id, amount FROM paid_orders ORDER BY id
SELECT with_tax(100)
SELECT nextval('ticket_number') > 0
SELECT id, day, what FROM events ORDER BY id
INSERT INTO events (id, day, what) VALUES (3, '2025-06-06', 'z'), (4, '2026-06-06', 'z')
SELECT order_id, total FROM billing.invoices ORDER BY id
INSERT INTO billing.invoices (order_id, total) VALUES (2, 9999999.99)
SELECT "What" FROM "Audit Log" ORDER BY id
INSERT INTO "Audit Log" ("What") VALUES ('seen') RETURNING "What"
SELECT owner, body FROM notes ORDER BY id
INSERT INTO notes (owner, body) VALUES ('eve', 'hi') RETURNING body
UPDATE notes SET body = 'later' WHERE owner = 'ada' RETURNING body
DELETE FROM orders WHERE id = 2 RETURNING id
DELETE FROM customers WHERE email = 'cyd@x' RETURNING email
