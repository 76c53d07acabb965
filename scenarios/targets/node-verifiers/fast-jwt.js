// fast-jwt with its companion get-jwks, as the latter's README shows.
import { createVerifier } from "fast-jwt";
import buildGetJwks from "get-jwks";

export function verifier({ issuer, audience, jwksUri }) {
  const domain = issuer.endsWith("/") ? issuer : `${issuer}/`;
  const getJwks = buildGetJwks({
    issuersWhitelist: [domain],
    jwksPath: jwksUri.slice(domain.length),
  });
  return createVerifier({
    key: ({ header }) => getJwks.getPublicKey({ kid: header.kid, alg: header.alg, domain }),
    algorithms: ["RS256"],
    allowedIss: issuer,
    allowedAud: audience,
    // Claims are looked at where they are there; that they are is asked for here.
    requiredClaims: ["iss", "aud", "exp"],
  });
}
