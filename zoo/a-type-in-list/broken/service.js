// A fixed catalogue. Noise: the list comes in random order, a random latency, a counter of requests, the version's number.
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
const isNew = version === "0.10";
const items = [
  { sku: "A1", name: "anvil", price: 12.5 },
  { sku: "B2", name: "bellows", price: 7 },
  { sku: "C3", name: "chisel", price: 3.25 },
];
let served = 0;

const meta = () => ({ served: ++served, latency_ms: Math.round(Math.random() * 1000) / 100, served_by: `catalogue/${version}` });
const shuffled = (list) => list.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "GET /items": () => [200, { items: shuffled(items.map(listed)), meta: meta() }],
  "GET /items/:sku": (_, sku) => {
    const item = items.find((one) => one.sku === sku);
    return item ? [200, { ...item, meta: meta() }] : [404, { error: "no such item" }];
  },
});

function listed(item) {
  return isNew ? { ...item, price: item.price.toFixed(2) } : item;
}
