// The peers, each by its fastest documented call with everything prepared that it lets one prepare.
//
// `verify` returns the claims and throws (or rejects) for a token that it refuses.
import { verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { JwtRsaVerifier } from "aws-jwt-verify";
import { createVerifier } from "fast-jwt";
import { importJWK, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";
import { split } from "./subject.mjs";

export const YARDSTICK = "crypto.verify";

export async function peersOf(subject) {
  const library = (name, variant, does, verify) => {
    return { name: `${name} ${installed(name)}${variant}`, does, checksClaims: true, verify };
  };
  return [
    { name: YARDSTICK, does: "signature alone", checksClaims: false, verify: yardstick(subject) },
    library("fast-jwt", "", "token → claims", fastJwt(subject, false)),
    library("fast-jwt", ", cache on", "token → claims, cache hit", fastJwt(subject, true)),
    library("aws-jwt-verify", "", "token → claims", awsJwtVerify(subject)),
    library("jsonwebtoken", "", "token → claims", nodeJsonwebtoken(subject)),
    library("jose", "", "token → claims, by a promise", await jose(subject)),
  ];
}

function installed(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
}

function yardstick({ token: expected, claims, key }) {
  const prepared = split(expected);
  return (token) => {
    const { signingInput, signature } = token === expected ? prepared : split(token);
    if (!verifySignature("RSA-SHA256", signingInput, key, signature)) throw new Error("bad signature");
    return claims;
  };
}

function fastJwt({ key, issuer, audience }, cache) {
  return createVerifier({
    key: key.export({ type: "spki", format: "pem" }),
    algorithms: ["RS256"],
    allowedIss: issuer,
    allowedAud: audience,
    // Without this a token that has no such claim is accepted; the others ask for issuer and audience by themselves.
    requiredClaims: ["iss", "aud", "exp"],
    cache,
  });
}

function awsJwtVerify({ jwks, issuer, audience }) {
  const verifier = JwtRsaVerifier.create({ issuer, audience, jwksUri: "https://unused.invalid/jwks.json" });
  verifier.cacheJwks(jwks);
  // `verify` does the same work on the same thread behind promises.
  return (token) => verifier.verifySync(token);
}

function nodeJsonwebtoken({ key, issuer, audience }) {
  const options = { algorithms: ["RS256"], issuer, audience };
  return (token) => jsonwebtoken.verify(token, key, options);
}

async function jose({ jwk, issuer, audience }) {
  const key = await importJWK(jwk, "RS256");
  const options = { algorithms: ["RS256"], issuer, audience, requiredClaims: ["exp"] };
  return async (token) => (await jwtVerify(token, key, options)).payload;
}
