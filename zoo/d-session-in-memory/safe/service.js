// Log in and ask who you are. Noise: random tokens, times, a counter of requests in process memory.
const { createHmac, randomBytes } = require("crypto");
const { serve } = require("./web");

const [version, port] = process.argv.slice(2);
let served = 0;

// The token carries the session, so any process can read it.
const secret = "a secret both versions are given";
const seal = (text) => createHmac("sha256", secret).update(text).digest("base64url");
const issue = (user) => {
  const text = `${Buffer.from(user).toString("base64url")}.${randomBytes(9).toString("base64url")}`;
  return `${text}.${seal(text)}`;
};
const userOf = (token) => {
  const [user, nonce, mark] = token.split(".");
  return mark === seal(`${user}.${nonce}`) ? Buffer.from(user, "base64url").toString() : undefined;
};

serve(port, {
  "GET /healthz": () => [200, "ok", { "Content-Type": "text/plain" }],
  "POST /sessions": ({ json }) => [201, { token: issue(json.user), expires: Date.now() + 3600000, served: ++served }],
  "GET /me": ({ headers }) => {
    const user = userOf((headers.authorization || "").replace("Bearer ", ""));
    return user ? [200, { user, served: ++served, version }] : [401, { error: "log in first" }];
  },
});
