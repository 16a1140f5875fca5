// Transfers between accounts. Noise: serial ids, uuids, database times, a booking text with the id in it.
const { pool, transaction } = require("./store");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "6.0.0";

// Two locks are taken in an order of their own, not in that of the transfer: there and back at once must not deadlock.
const inOrder = (...ids) => (isNew ? [Math.min(...ids), Math.max(...ids)] : ids.sort((a, b) => a - b));

const move = (from, to, cents) =>
  transaction(async (client) => {
    const balance = {};
    for (const id of inOrder(from, to)) {
      const { rows } = await client.query("select cents from accounts where id = $1 for update", [id]);
      if (!rows.length) return [404, { error: `no account ${id}` }];
      balance[id] = Number(rows[0].cents);
    }
    if (balance[from] < cents) return [409, { error: "not enough money" }];
    await client.query("update accounts set cents = $2 where id = $1", [from, balance[from] - cents]);
    await client.query("update accounts set cents = $2 where id = $1", [to, balance[to] + cents]);
    const sql = "insert into transfers (payer, payee, cents) values ($1, $2, $3) returning id, booked_at";
    const { rows } = await client.query(sql, [from, to, cents]);
    return [201, { ...rows[0], from, to, cents, text: `transfer from ${from}`, left: balance[from] - cents }];
  });

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /accounts": async ({ json }) => {
    const sql = "insert into accounts (owner, cents) values ($1, $2) returning id";
    const { rows } = await pool.query(sql, [json.owner, json.cents]);
    return [201, { id: Number(rows[0].id) }, { Location: `/accounts/${rows[0].id}` }];
  },
  "POST /transfers": ({ json }) => move(Number(json.from), Number(json.to), json.cents),
  "GET /accounts/:id": async (_, id) => {
    const { rows } = await pool.query("select owner, cents from accounts where id = $1", [id]);
    if (!rows.length) return [404, { error: `no account ${id}` }];
    return [200, { id: Number(id), owner: rows[0].owner, cents: Number(rows[0].cents) }];
  },
});
