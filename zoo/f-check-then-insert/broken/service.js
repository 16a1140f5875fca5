// Sign-up. Noise: uuids, database times, a random request id in every answer, retries.
const { pool, transaction } = require("./store");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "9.0.0";
const columns = "id, email, name, joined_at";

// One of several at the same time, one after the other: all who sign up with this address wait for the same lock.
const addLocked = (email, name) =>
  transaction(async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtext($1))", [email]);
    return addIfMissing(client, email, name);
  });

// PostgreSQL itself refuses what no order of the transactions could have done; then it is tried again.
const addSerializable = async (email, name) => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction((client) => addIfMissing(client, email, name), "serializable");
    } catch (problem) {
      if (problem.code !== "40001" || attempt === 5) throw problem;
    }
  }
};

const addIfMissing = async (client, email, name) => {
  const taken = await client.query("select 1 from accounts where email = $1", [email]);
  if (taken.rows.length) return undefined;
  const sql = `insert into accounts (email, name) values ($1, $2) returning ${columns}`;
  return (await client.query(sql, [email, name])).rows[0];
};

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /accounts": async ({ json: { email, name } }) => {
    const add = isNew ? addSerializable : addLocked;
    const account = await add(email, name);
    if (!account) return [409, { error: `${email} has an account already` }];
    return [201, account, { Location: `/accounts/${account.id}` }];
  },
  "GET /accounts": async ({ query }) => {
    const sql = `select ${columns} from accounts where email = $1 order by joined_at, id`;
    const { rows } = await pool.query(sql, [query.get("email")]);
    return [200, { accounts: rows, count: rows.length }];
  },
});
