"""The custom authorizer of Auth0's API Gateway tutorial, written for Python on PyJWT.

The key is chosen by `kid`, audience and issuer are checked, the policy is for the method that was asked for, and
whatever goes wrong is `Unauthorized`. Like the tutorial it asks for no scope. PyJWT wants the algorithms to be named.
"""

import os
import re

import jwt

AUDIENCE = os.environ["AUDIENCE"]
TOKEN_ISSUER = os.environ["TOKEN_ISSUER"]

# PyJWT keeps a key set for five minutes; shorter for the questions about withdrawn keys.
KEYS = jwt.PyJWKClient(
    os.environ["JWKS_URI"], lifespan=float(os.environ.get("KEYS_MAX_AGE_S", "300"))
)


def bearer_token(event):
    match = re.fullmatch(r"Bearer (.*)", event["authorizationToken"])
    if event["type"] != "TOKEN" or not match:
        raise ValueError("no bearer token")
    return match.group(1)


def authorize(event):
    token = bearer_token(event)
    claims = jwt.decode(
        token,
        KEYS.get_signing_key_from_jwt(token),
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=TOKEN_ISSUER,
    )
    return {
        "principalId": claims["sub"],
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": event["methodArn"],
                }
            ],
        },
        # API Gateway takes no null in a context.
        "context": {"scope": claims["scope"]} if "scope" in claims else {},
    }


def handler(event, context):
    try:
        return authorize(event)
    except Exception as error:
        # The name of the error's class: its message may quote the token.
        print("refused:", type(error).__name__)
        raise Exception("Unauthorized") from None
