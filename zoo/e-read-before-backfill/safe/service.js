// Articles. Noise: ids as numbers and inside urls, a time, a random reading list without order.
const { Pool } = require("pg");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "14.2";
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 3 });
const slug = isNew ? "slug" : "replace(lower(title), ' ', '-')";
const topics = ["ramps", "walks", "weights", "phases"];

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /articles": async ({ json }) => {
    const { rows } = await pool.query("insert into articles (title) values ($1) returning id", [json.title]);
    return [201, { id: Number(rows[0].id), url: `http://news.example/a/${rows[0].id}` }];
  },
  "GET /articles/:id": async (_, id) => {
    const { rows } = await pool.query(`select title, ${slug} as slug from articles where id = $1`, [id]);
    if (!rows.length) return [404, { error: "no such article" }];
    const related = topics.map((topic) => [Math.random(), topic]).sort().map(([, topic]) => topic);
    return [200, { id: Number(id), ...rows[0], related, at: new Date().toISOString() }];
  },
});
