// Products behind a cache. Noise: the age of the answer, a random latency, a request id.
const { randomUUID } = require("crypto");
const { connect } = require("./resp");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "3.4.0";
const redis = connect(process.env.CACHE_URL);
const products = { A1: { name: "anvil", price: 1250 }, B2: { name: "bellows", price: 700 } };

const keyOf = (sku) => (isNew ? `product:v2:${sku}` : `product:${sku}`); // a new format gets a new key
const wrapped = (product) => (isNew ? { v: 2, at: Date.now(), product } : product);
const opened = (entry) => (isNew ? entry.product : entry);

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "GET /products/:sku": async (_, sku) => {
    if (!products[sku]) return [404, { error: "no such product" }];
    const cached = await redis("GET", keyOf(sku));
    const entry = cached ? opened(JSON.parse(cached)) : products[sku];
    if (!cached) await redis("SET", keyOf(sku), JSON.stringify(wrapped(entry)), "EX", 300);
    const { name, price } = entry;
    return [200, { sku, name, price, latency_ms: Math.random() * 5 }, { "X-Request-Id": randomUUID(), Age: Date.now() % 100 }];
  },
});
