// A small HTTP server: routes map "GET /orders/:id" to an async view({ json, query, headers }, id), which returns
// [status, body, headers]. Every answer carries a random request id.
const { randomUUID } = require("crypto");
const http = require("http");

exports.serve = (port, routes) => {
  const table = Object.entries(routes).map(([route, view]) => {
    const [method, path] = route.split(" ");
    return [method, new RegExp("^" + path.replace(/:\w+/g, "([^/]+)") + "$"), view];
  });
  http
    .createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const url = new URL(request.url, "http://localhost");
      let answer = [404, { error: "not found" }];
      try {
        for (const [method, pattern, view] of table) {
          const found = method === request.method && pattern.exec(url.pathname);
          if (!found) continue;
          const json = /^[{[]/.test(text) ? JSON.parse(text) : undefined;
          answer = await view({ json, query: url.searchParams, headers: request.headers }, ...found.slice(1));
          break;
        }
      } catch (problem) {
        console.error(problem);
        answer = [500, { error: "internal error" }];
      }
      const [status, body, headers] = answer;
      const data = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
      response.writeHead(status, { "Content-Type": "application/json", "X-Request-Id": randomUUID(), ...headers });
      response.end(data);
    })
    .listen(Number(port), "127.0.0.1");
};
