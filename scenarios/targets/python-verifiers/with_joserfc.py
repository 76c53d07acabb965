"""joserfc, as its documentation shows."""

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from key_set import KeySetCache


def verifier(issuer, audience, jwks_uri, keys_max_age_s):
    keys = KeySetCache(
        jwks_uri,
        keys_max_age_s,
        parse=KeySet.import_key_set,
        unknown_key=InvalidKeyIdError,
    )
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
    )

    def verify(token):
        decoded = keys.decode(
            lambda key_set: jwt.decode(token, key_set, algorithms=["RS256"])
        )
        registry.validate(decoded.claims)
        return decoded.claims

    return verify
