// A guest book in files. Noise: uuids, a list of everything written so far in random order, times, the writer's version.
const fs = require("fs");
const path = require("path");
const { randomUUID } = require("crypto");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "1.1.0";
const data = path.join(__dirname, "data");
const book = path.join(data, "entries.json");
const parsed = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const replace = (file, value) => {
  fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify(value));
  fs.renameSync(`${file}.${process.pid}`, file);
};

function write(entry) {
  // 1.1.0 reads single files already; writing them is left to the version after.
  return replace(book, { ...parsed(book), [entry.id]: entry });
}

function all() {
  const singles = isNew ? fs.readdirSync(data).filter((name) => /^entry-[-0-9a-f]+\.json$/.test(name)) : [];
  return [...Object.values(parsed(book)), ...singles.map((name) => parsed(path.join(data, name)))];
}

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /entries": ({ json }) => {
    const entry = { id: randomUUID(), text: json.text, at: new Date().toISOString(), written_by: version };
    write(entry);
    return [201, { id: entry.id }, { Location: `/entries/${entry.id}` }];
  },
  "GET /entries": () => [200, all().map(({ id, text }) => [Math.random(), { id, text }]).sort(([a], [b]) => a - b).map(([, e]) => e)],
  "GET /entries/:id": (_, id) => {
    const entry = all().find((one) => one.id === id);
    return entry ? [200, entry] : [404, { error: "no such entry" }];
  },
});
