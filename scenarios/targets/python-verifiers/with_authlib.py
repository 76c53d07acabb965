"""Authlib's own JSON Web Token module, as its documentation shows."""

from authlib.jose import JsonWebKey, JsonWebToken

from key_set import KeySetCache


def verifier(issuer, audience, jwks_uri, keys_max_age_s):
    keys = KeySetCache(
        jwks_uri,
        keys_max_age_s,
        parse=JsonWebKey.import_key_set,
        # What KeySet.find_by_kid raises.
        unknown_key=ValueError,
    )
    library = JsonWebToken(["RS256"])
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": audience},
        "exp": {"essential": True},
    }

    def verify(token):
        claims = keys.decode(
            lambda key_set: library.decode(token, key_set, claims_options=options)
        )
        claims.validate()
        return claims

    return verify
