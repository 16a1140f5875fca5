// Payments. Noise: serial ids, times; the canary's `currency` is declared in the contract's `changes`.
const { Pool } = require("pg");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "1.10.0";
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 3 });
const insert = isNew
  ? "insert into payments (amount, currency) values ($1, 'EUR') returning id"
  : "insert into payments (amount) values ($1) returning id";
const select = `select amount, made_at${isNew ? ", currency" : ""} from payments where id = $1`;

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /payments": async ({ json }) => {
    const { rows } = await pool.query(insert, [json.amount]);
    return [201, { id: Number(rows[0].id) }, { Location: `/payments/${rows[0].id}` }];
  },
  "GET /payments/:id": async (_, id) => {
    const { rows } = await pool.query(select, [id]);
    return rows.length ? [200, { id: Number(id), ...rows[0] }] : [404, { error: "no such payment" }];
  },
});
