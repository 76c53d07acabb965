// The subject: one token with the key set, issuer and audience that verify it, and tokens that must be refused.
import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

const FIELDS = ["audience", "issuer", "jwks", "token"];
const AUDIENCE = "https://planets.example.com/";
const ISSUER = "https://issuer.example.com/";

export function parseSubject(text) {
  const { token, jwks, issuer, audience, ...others } = JSON.parse(text);
  if (Object.keys(others).length > 0) {
    throw new Error(`unknown field ${Object.keys(others)[0]}: a subject has ${FIELDS.join(", ")}`);
  }
  for (const [name, value] of Object.entries({ token, issuer, audience })) {
    if (typeof value !== "string") throw new Error(`${name} must be a string`);
  }
  if (!Array.isArray(jwks?.keys)) throw new Error("jwks must be an object with an array `keys`");
  return subject(token, jwks, issuer, audience);
}

// A new key, a token of the shape that Auth0 mints for a client, and tokens with one thing wrong each.
export function makeSubject() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { e, kty, n } = publicKey.export({ format: "jwk" });
  // The RFC 7638 thumbprint, as the bench's own issuer names its keys.
  const kid = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
  const jwks = { keys: [{ e, kty, n, kid, alg: "RS256", use: "sig" }] };
  const now = Math.floor(Date.now() / 1000);
  const mint = (changes) => {
    const claims = {
      iss: ISSUER,
      sub: "bench@clients",
      aud: [AUDIENCE, `${ISSUER}userinfo`],
      iat: now - 1,
      exp: now + 86400,
      gty: "client-credentials",
      azp: "bench",
      scope: "read:planets",
      ...changes,
    };
    const signingInput = [{ alg: "RS256", typ: "JWT", kid }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${signingInput}.${sign("RSA-SHA256", Buffer.from(signingInput), privateKey).toString("base64url")}`;
  };
  const wrongClaims = {
    // An hour: beyond any leeway that a peer has by default.
    "an expired token": mint({ iat: now - 7200, exp: now - 3600 }),
    "a wrong audience": mint({ aud: ["https://moons.example.com/", `${ISSUER}userinfo`] }),
    "a wrong issuer": mint({ iss: "https://other.example.com/" }),
  };
  return { ...subject(mint({}), jwks, ISSUER, AUDIENCE), wrongClaims };
}

// The same token with one bit of its signature changed.
export function withBadSignature(token) {
  const { signingInput, signature } = split(token);
  const changed = Buffer.from(signature);
  changed[changed.length >> 1] ^= 1;
  return `${signingInput}.${changed.toString("base64url")}`;
}

export function split(token) {
  const dot = token.lastIndexOf(".");
  return {
    signingInput: Buffer.from(token.slice(0, dot)),
    signature: Buffer.from(token.slice(dot + 1), "base64url"),
  };
}

function subject(token, jwks, issuer, audience) {
  const [header, claims] = token
    .split(".", 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
  if (header.alg !== "RS256") throw new Error(`the token's alg is ${header.alg}: RS256 alone is compared`);
  const jwk = jwks.keys.find((key) => key.kid !== undefined && key.kid === header.kid);
  if (!jwk) throw new Error(`the key set has no key with the token's kid, ${header.kid}`);
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const bits = key.asymmetricKeyDetails.modulusLength;
  if (bits !== 2048) throw new Error(`the key has ${bits} bits: RSA-2048 alone is compared`);
  return { token, claims, jwks, jwk, key, issuer, audience };
}
