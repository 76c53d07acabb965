"""PyJWT with its own JWKS client, as its documentation shows."""

import jwt


def verifier(issuer, audience, jwks_uri, keys_max_age_s):
    client = jwt.PyJWKClient(jwks_uri, lifespan=keys_max_age_s)

    def verify(token):
        key = client.get_signing_key_from_jwt(token)
        # `iss` and `aud` are required with these options, `exp` when it is asked for.
        return jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=issuer,
            audience=audience,
            options={"require": ["exp"]},
        )

    return verify
