// A resource server as the library's README builds one: issuer, audience, key set and the required scopes, separated by blanks.
const express = require("express");
const { auth, requiredScopes } = require("express-oauth2-jwt-bearer");

function setting(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

const app = express();
app.disable("x-powered-by");

app.get("/health", (request, response) => response.json({ status: "ok" }));

app.get(
  "/planets",
  auth({
    issuer: setting("ISSUER"),
    jwksUri: setting("JWKS_URI"),
    audience: setting("AUDIENCE"),
    tokenSigningAlg: "RS256",
  }),
  requiredScopes(setting("SCOPE")),
  (request, response) => response.json({ principal: request.auth.payload.sub }),
);

// The library's errors carry their status and their WWW-Authenticate header; anything else is this server's fault.
app.use((error, request, response, next) => {
  response
    .status(error.status || 500)
    .set(error.headers || {})
    .json({ message: error.status ? error.code || "refused" : "internal error" });
});

const server = app.listen(Number(setting("PORT")), "127.0.0.1");
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
