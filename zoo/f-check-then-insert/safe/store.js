// PostgreSQL through a pool, and transactions on it.
const { Pool } = require("pg");

exports.pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

// What `work(client)` returns, after COMMIT; where it throws, nothing of it happened.
exports.transaction = async (work, isolation = "read committed") => {
  const client = await exports.pool.connect();
  try {
    await client.query(`begin isolation level ${isolation}`);
    const done = await work(client);
    await client.query("commit");
    return done;
  } catch (problem) {
    await client.query("rollback");
    throw problem;
  } finally {
    client.release();
  }
};
