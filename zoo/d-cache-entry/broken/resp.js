// A Redis client in a few lines: const redis = connect(url); await redis("SET", "key", "value").
const net = require("net");

exports.connect = (url) => {
  const { hostname, port, pathname, password } = new URL(url);
  const socket = net.connect(Number(port || 6379), hostname).setNoDelay(true);
  const waiting = [];
  let buffer = Buffer.alloc(0);
  const send = (...words) =>
    new Promise((resolve, reject) => {
      waiting.push([resolve, reject]);
      const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
      socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (let end = buffer.indexOf("\r\n"); end >= 0 && waiting.length; end = buffer.indexOf("\r\n")) {
      const kind = String.fromCharCode(buffer[0]);
      const rest = buffer.toString("utf8", 1, end);
      let value = rest;
      let used = end + 2;
      if (kind === "$" && rest !== "-1") {
        used += Number(rest) + 2;
        if (buffer.length < used) return; // the rest of the value has not arrived yet
        value = buffer.toString("utf8", end + 2, used - 2);
      } else if (kind === "$") value = null;
      else if (kind === ":") value = Number(rest);
      buffer = buffer.subarray(used);
      const [resolve, reject] = waiting.shift();
      if (kind === "-") reject(new Error(rest));
      else resolve(value);
    }
  });
  if (password) send("AUTH", password);
  send("SELECT", pathname.slice(1) || "0");
  return send;
};
