// A resource server around one verifier library, which the first argument names. Everything but the verification of the
// token is here, the same for all of them: the header, the scope, the answers.
import { createServer } from "node:http";

function setting(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

const library = process.argv[2];
const { verifier } = await import(`./${library}.js`);
const scopes = setting("SCOPE").split(" ");
// Verifies a token and returns its claims; throws where it refuses.
const verify = verifier({
  issuer: setting("ISSUER"),
  audience: setting("AUDIENCE"),
  jwksUri: setting("JWKS_URI"),
  // For how long keys are kept, for the questions about that alone; the library's own default otherwise.
  keysMaxAgeMs: process.env.KEYS_MAX_AGE_S && Number(process.env.KEYS_MAX_AGE_S) * 1000,
});

// RFC 6750 §2.1, but for the token's characters: what a token is made of is a question to the library.
const BEARER = /^Bearer +(\S+)$/i;

function refuse(response, status, challenge) {
  answer(response, status, { message: "refused" }, { "www-authenticate": challenge });
}

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

// RFC 9068 §2.2.3: one text, the scopes apart by blanks.
function hasScopes(claims) {
  const granted = typeof claims.scope === "string" ? claims.scope.split(" ") : [];
  return scopes.every((scope) => granted.includes(scope));
}

async function planets(request, response) {
  const given = request.headersDistinct.authorization ?? [];
  const bearer = given.length === 1 && BEARER.exec(given[0]);
  if (!bearer) return refuse(response, 401, "Bearer");
  let claims;
  try {
    claims = await verify(bearer[1]);
  } catch {
    // Whatever the library throws: it throws errors of its own, of the runtime and of the network, and returns no claims.
    return refuse(response, 401, 'Bearer error="invalid_token"');
  }
  if (!hasScopes(claims)) return refuse(response, 403, 'Bearer error="insufficient_scope"');
  return answer(response, 200, { principal: claims.sub });
}

const server = createServer((request, response) => {
  const path = request.url.split("?")[0];
  if (path === "/health") return answer(response, 200, { status: "ok" });
  if (path === "/planets") return planets(request, response);
  return answer(response, 404, { message: "not found" });
});
server.listen(Number(setting("PORT")), "127.0.0.1");
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
