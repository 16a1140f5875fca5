// Orders. Noise: serial ids inside texts and headers, times in milliseconds, uuids.
const { randomUUID } = require("crypto");
const { Pool } = require("pg");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "7.1.0";
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 3 });
const cancelledWord = isNew ? "CANCELED" : "CANCELLED";
const isCancelled = (word) => (isNew ? /^CANCELL?ED$/.test(word) : word === "CANCELLED");

const shown = ({ id, sku, status }) => ({
  id: `ORD-${id}`,
  sku,
  status: isCancelled(status) ? "cancelled" : "open",
  invoice: `/invoices/${id}.pdf`,
  trace: randomUUID(),
  asked_at: Date.now(),
});
const number = (id) => Number(id.replace("ORD-", ""));

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /orders": async ({ json }) => {
    const { rows } = await pool.query("insert into orders (sku) values ($1) returning id, sku, status", [json.sku]);
    return [201, shown(rows[0]), { Location: `/orders/ORD-${rows[0].id}` }];
  },
  "POST /orders/:id/cancel": async (_, id) => {
    const sql = "update orders set status = $2 where id = $1 returning id, sku, status";
    const { rows } = await pool.query(sql, [number(id), cancelledWord]);
    return rows.length ? [200, shown(rows[0])] : [404, { error: "no such order" }];
  },
  "GET /orders/:id": async (_, id) => {
    const { rows } = await pool.query("select id, sku, status from orders where id = $1", [number(id)]);
    return rows.length ? [200, shown(rows[0])] : [404, { error: "no such order" }];
  },
});
