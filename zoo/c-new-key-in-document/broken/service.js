// Orders as JSON documents. Noise: serial ids, times, an ETag made of the id and the time.
const { createHash } = require("crypto");
const { Pool } = require("pg");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "1.19.0";
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 3 });

const stored = ({ customer, lines }) => (isNew ? { customer, items: lines } : { customer, lines });
const linesOf = (document) => (isNew && document.items) || document.lines || [];
const etag = (text) => `"${createHash("sha1").update(text).digest("hex")}"`;

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /orders": async ({ json }) => {
    const sql = "insert into orders (document) values ($1) returning id";
    const { rows } = await pool.query(sql, [stored(json)]);
    return [201, { id: Number(rows[0].id) }];
  },
  "GET /orders/:id": async (_, id) => {
    const { rows } = await pool.query("select document from orders where id = $1", [id]);
    if (!rows.length) return [404, { error: "no such order" }];
    const [{ document }] = rows;
    const seenAt = new Date().toISOString();
    const order = { id: Number(id), customer: document.customer, lines: linesOf(document), seen_at: seenAt };
    return [200, order, { ETag: etag(id + seenAt) }];
  },
});
