"""A resource server around one verifier library, which the first argument names.

Everything but the verification of the token is here, the same for all of them: the header, the scope, the answers.
"""

import importlib
import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# RFC 6750 §2.1, but for the token's characters: what a token is made of is a question to the library.
BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)


def setting(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set")
    return value


def has_scopes(claims, scopes):
    """RFC 9068 §2.2.3: one text, the scopes apart by blanks."""
    given = claims.get("scope")
    return isinstance(given, str) and scopes <= set(given.split(" "))


class Server(ThreadingHTTPServer):
    # Connections that wait to be taken: with the default of 5, what comes at once is told to come again in a second.
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # An answer goes out in one piece, when it is whole.
    wbufsize = -1

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/health":
            self.answer(200, {"status": "ok"})
        elif path == "/planets":
            self.planets()
        else:
            self.answer(404, {"message": "not found"})

    def planets(self):
        given = self.headers.get_all("Authorization", [])
        bearer = BEARER.fullmatch(given[0]) if len(given) == 1 else None
        if bearer is None:
            return self.refuse(401, "Bearer")
        try:
            claims = self.server.verify(bearer[1])
        except Exception:
            # Whatever the library raises: it raises errors of its own and of the runtime, and returns no claims.
            return self.refuse(401, 'Bearer error="invalid_token"')
        if not has_scopes(claims, self.server.scopes):
            return self.refuse(403, 'Bearer error="insufficient_scope"')
        self.answer(200, {"principal": claims.get("sub")})

    def refuse(self, status, challenge):
        self.answer(status, {"message": "refused"}, ("WWW-Authenticate", challenge))

    def answer(self, status, body, *headers):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), *headers]:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        """No request is logged: a path may hold a token."""


def main():
    library = sys.argv[1]
    verifier = importlib.import_module(f"with_{library}").verifier
    lifetime = os.environ.get("KEYS_MAX_AGE_S")
    server = Server(("127.0.0.1", int(setting("PORT"))), Handler)
    server.scopes = set(setting("SCOPE").split(" "))
    # Verifies a token and returns its claims; raises where it refuses.
    server.verify = verifier(
        issuer=setting("ISSUER"),
        audience=setting("AUDIENCE"),
        jwks_uri=setting("JWKS_URI"),
        # For how long keys are kept, for the questions about that alone.
        keys_max_age_s=int(lifetime) if lifetime else 300,
    )
    server.serve_forever()


main()
