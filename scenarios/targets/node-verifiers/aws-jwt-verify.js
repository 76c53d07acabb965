// aws-jwt-verify for an issuer that is not Cognito, as its README shows.
import { JwtVerifier } from "aws-jwt-verify";
import { FetchError } from "aws-jwt-verify/error";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";

// The library's own default: how long it waits for a key set.
const RESPONSE_TIMEOUT_MS = 3000;

// Its own fetcher speaks TLS alone, and the issuer of a test does not. Like that one it follows no redirect.
const fetcher = {
  async fetch(uri) {
    try {
      const response = await fetch(uri, {
        redirect: "error",
        signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS),
      });
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      return await response.arrayBuffer();
    } catch (error) {
      throw new FetchError(uri, error.message);
    }
  },
};

export const keys = () => ({ jwksCache: new SimpleJwksCache({ fetcher }) });

export function verifier({ issuer, audience, jwksUri }) {
  const jwtVerifier = JwtVerifier.create({ issuer, audience, jwksUri }, keys());
  return (token) => jwtVerifier.verify(token);
}
