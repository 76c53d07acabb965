// jose, as its documentation of jwtVerify and createRemoteJWKSet shows.
import { createRemoteJWKSet, jwtVerify } from "jose";

export function verifier({ issuer, audience, jwksUri, keysMaxAgeMs }) {
  const keys = createRemoteJWKSet(new URL(jwksUri), { cacheMaxAge: keysMaxAgeMs });
  // `iss` and `aud` are required with these options, `exp` when it is asked for.
  const options = { issuer, audience, algorithms: ["RS256"], requiredClaims: ["exp"] };
  return async (token) => (await jwtVerify(token, keys, options)).payload;
}
