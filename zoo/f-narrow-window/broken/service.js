// Orders that earn points: a long request. Noise: serial ids, uuids, database times, texts with ids in them.
const { pool, transaction } = require("./store");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "12.0.0";

// Everything about an order but its points: some reads of the catalogue, some rows of its own.
const placed = async (client, customer, { zone, lines }) => {
  const one = async (sql, ...values) => (await client.query(sql, values)).rows[0];
  const { name } = await one("select name from customers where id = $1", customer);
  const { carrier, fee } = await one("select carrier, fee from zones where zone = $1", zone);
  const { percent } = await one("select percent from taxes where zone = $1", zone);
  let total = Number(fee);
  const sql = "insert into orders (customer, zone) values ($1, $2) returning id, receipt, placed_at";
  const order = await one(sql, customer, zone);
  for (const { sku, count } of lines) {
    const { title } = await one("select title from products where sku = $1", sku);
    const { cents } = await one("select cents from prices where sku = $1", sku);
    const line = "insert into order_lines (order_id, sku, title, count, cents) values ($1, $2, $3, $4, $5)";
    await client.query(line, [order.id, sku, title, count, cents * count]);
    total += cents * count;
  }
  total += Math.round((total * percent) / 100);
  await client.query("insert into payments (order_id, cents) values ($1, $2)", [order.id, total]);
  await client.query("insert into parcels (order_id, carrier) values ($1, $2)", [order.id, carrier]);
  const { subject } = await one("select subject from templates where name = 'thanks'");
  const text = `${subject}, ${name}: order ${order.id}`;
  await client.query("insert into mails (order_id, text) values ($1, $2)", [order.id, text]);
  await client.query("insert into audit (order_id, event) values ($1, 'placed')", [order.id]);
  return { ...order, id: Number(order.id), total, carrier };
};

const earned = async (client, customer, points, forUpdate) => {
  const { rows } = await client.query(`select balance from points where customer = $1 ${forUpdate}`, [customer]);
  const balance = rows[0].balance + points;
  await client.query("update points set balance = $2 where customer = $1", [customer, balance]);
  return balance;
};

// The points come last, so that their lock is held for three statements only.
const orderThenPoints = (customer, json, points) =>
  transaction(async (client) => {
    const order = await placed(client, customer, json);
    await client.query("select pg_advisory_xact_lock(1, $1)", [customer]);
    return { ...order, points: await earned(client, customer, points, "") };
  });

// The points come first, in a transaction of their own: the row is locked for two statements.
const pointsThenOrder = async (customer, json, points) => {
  const balance = await transaction((client) => earned(client, customer, points, "for update"));
  const order = await transaction((client) => placed(client, customer, json));
  return { ...order, points: balance };
};

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /customers": ({ json }) =>
    transaction(async (client) => {
      const { rows } = await client.query("insert into customers (name) values ($1) returning id", [json.name]);
      await client.query("insert into points (customer) values ($1)", [rows[0].id]);
      return [201, { id: Number(rows[0].id) }];
    }),
  "POST /customers/:id/orders": async ({ json }, id) => {
    const points = json.lines.reduce((sum, { count }) => sum + 10 * count, 0);
    const order = await (isNew ? pointsThenOrder : orderThenPoints)(Number(id), json, points);
    return [201, order, { Location: `/orders/${order.id}` }];
  },
  "GET /customers/:id": async (_, id) => {
    const sql = "select name, balance from customers join points on customer = id where id = $1";
    const { rows } = await pool.query(sql, [id]);
    if (!rows.length) return [404, { error: "no such customer" }];
    return [200, { id: Number(id), name: rows[0].name, points: rows[0].balance, seen_at: Date.now() }];
  },
});
