// aws-jwt-verify for Cognito's access tokens: the library's own checks of client_id and token_use, which its CognitoJwtVerifier
// makes, for an issuer that is not at AWS.
import { JwtVerifier } from "aws-jwt-verify";
import { validateCognitoJwtFields } from "aws-jwt-verify/cognito-verifier";
import { keys } from "./aws-jwt-verify.js";

export function verifier({ issuer, audience: clientId, jwksUri }) {
  const customJwtCheck = ({ payload }) =>
    validateCognitoJwtFields(payload, { clientId, tokenUse: "access" });
  const jwtVerifier = JwtVerifier.create({ issuer, audience: null, jwksUri, customJwtCheck }, keys());
  return (token) => jwtVerifier.verify(token);
}
