// A custom authorizer as Auth0's API Gateway tutorial describes one, on the two packages that it uses: the key is chosen
// by `kid`, audience and issuer are checked, the policy is for the method that was asked for, and whatever goes wrong is
// `Unauthorized`. Like the tutorial it names no algorithm and asks for no scope. Unlike it, it logs nothing of a token.
"use strict";

const jwt = require("jsonwebtoken");
const jwksClient = require("jwks-rsa");

function setting(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

const checks = { audience: setting("AUDIENCE"), issuer: setting("TOKEN_ISSUER") };

const keys = jwksClient({
  jwksUri: setting("JWKS_URI"),
  cache: true,
  rateLimit: true,
  jwksRequestsPerMinute: 10,
  // For the questions about withdrawn keys; the package keeps a key for ten minutes.
  ...(process.env.KEYS_MAX_AGE_S && { cacheMaxAge: Number(process.env.KEYS_MAX_AGE_S) * 1000 }),
});

function bearerToken(event) {
  const match = event.type === "TOKEN" && /^Bearer (.*)$/.exec(event.authorizationToken);
  if (!match) {
    throw new Error("no bearer token");
  }
  return match[1];
}

async function authorize(event) {
  const token = bearerToken(event);
  const decoded = jwt.decode(token, { complete: true });
  if (!decoded || !decoded.header || !decoded.header.kid) {
    throw new Error("no token with a kid");
  }
  const key = await keys.getSigningKey(decoded.header.kid);
  const claims = jwt.verify(token, key.getPublicKey(), checks);
  return {
    principalId: claims.sub,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: event.methodArn }],
    },
    context: { scope: claims.scope },
  };
}

exports.handler = async (event) => {
  try {
    return await authorize(event);
  } catch (error) {
    // The name of the error's class: its message may quote the token.
    console.log(`refused: ${error.name}`);
    throw new Error("Unauthorized");
  }
};
