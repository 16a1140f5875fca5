// Profiles as JSON documents. Noise: serial ids, times in milliseconds, an ETag of the version and the time, retries.
const { createHash } = require("crypto");
const { pool, transaction } = require("./store");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "4.0.0";

const changeLocked = (id, changes) =>
  transaction(async (client) => {
    const { rows } = await client.query("select document from profiles where id = $1 for update", [id]);
    if (!rows.length) return undefined;
    const document = { ...rows[0].document, ...changes };
    const sql = `update profiles set document = $2, version = version + 1, changed_at = now()
      where id = $1 returning *`;
    return (await client.query(sql, [id, document])).rows[0];
  });

// Nobody waits: who finds another version than the one that was read reads again.
const changeVersioned = async (id, changes) => {
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { rows } = await pool.query("select document, version from profiles where id = $1", [id]);
    if (!rows.length) return undefined;
    const document = { ...rows[0].document, ...changes };
    const sql = `update profiles set document = $2, version = version + 1, changed_at = now()
      where id = $1 and version = $3 returning *`;
    const changed = await pool.query(sql, [id, document, rows[0].version]);
    if (changed.rows.length) return changed.rows[0];
  }
  throw new Error(`profile ${id} changes too often`);
};

const answer = (status, profile) => {
  if (!profile) return [404, { error: "no such profile" }];
  const { id, document, version: number, changed_at: changedAt } = profile;
  const etag = createHash("sha1").update(`${id} ${number} ${changedAt.toISOString()}`).digest("hex");
  return [status, { id: Number(id), ...document, changed_at: changedAt.getTime() }, { ETag: `"${etag}"` }];
};

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /profiles": async ({ json }) => {
    const { rows } = await pool.query("insert into profiles (document) values ($1) returning *", [json]);
    return answer(201, rows[0]);
  },
  "PATCH /profiles/:id": async ({ json }, id) => {
    const change = isNew ? changeVersioned : changeLocked;
    return answer(200, await change(id, json));
  },
  "GET /profiles/:id": async (_, id) => {
    const { rows } = await pool.query("select * from profiles where id = $1", [id]);
    return answer(200, rows[0]);
  },
});
