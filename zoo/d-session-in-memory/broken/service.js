// Log in and ask who you are. Noise: random tokens, times, a counter of requests in process memory.
const { createHmac, randomBytes } = require("crypto");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
let served = 0;

const sessions = new Map();
const issue = (user) => {
  const token = randomBytes(18).toString("base64url");
  sessions.set(token, { user, seal: createHmac("sha256", token).update(user).digest("hex") });
  return token;
};
const userOf = (token) => sessions.get(token)?.user;

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /sessions": ({ json }) => [201, { token: issue(json.user), expires: Date.now() + 3600000, served: ++served }],
  "GET /me": ({ headers }) => {
    const user = userOf((headers.authorization || "").replace("Bearer ", ""));
    return user ? [200, { user, served: ++served, version }] : [401, { error: "log in first" }];
  },
});
