"""The issuer's key set, for the libraries that verify with one and leave its fetching to their users."""

import json
import threading
import time
import urllib.request

# How long a fetch may take: an authorizer behind API Gateway has 10 s for everything (AWS quotas).
FETCH_TIMEOUT_S = 3
# The key sets of large issuers have some ten kilobytes.
MAX_BYTES = 1_000_000
# From a fetch that failed to the next one.
RETRY_S = 1
# From one fetch to the next one for a key that is not known: whoever sends tokens must not choose how often.
COOLDOWN_S = 10


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The issuer's keys are where its operator says, and nowhere else."""

    def redirect_request(self, *_):
        return None


class KeySetCache:
    """Fetches at the first token, when the keys are too old, and for an unknown key."""

    def __init__(self, uri, max_age_s, parse, unknown_key):
        self._uri = uri
        self._max_age_s = max_age_s
        # What the library makes of the document, and what it raises for a key that is not in there.
        self._parse = parse
        self._unknown_key = unknown_key
        self._opener = urllib.request.build_opener(NoRedirect)
        self._lock = threading.Lock()
        self._keys = None
        self._fetched = float("-inf")
        self._tried = float("-inf")

    def decode(self, decode):
        """Decodes with the keys that there are, and once more with newer ones where they lack the key."""
        keys = self._fresh()
        try:
            return decode(keys)
        except self._unknown_key:
            newer = self._newer_than(keys)
            if newer is None:
                raise
            return decode(newer)

    def _fresh(self):
        if self._is_fresh():
            return self._keys
        with self._lock:
            if not self._is_fresh():
                if time.monotonic() - self._tried < RETRY_S:
                    raise ConnectionError("the last fetch failed a moment ago")
                self._fetch()
            return self._keys

    def _newer_than(self, keys):
        with self._lock:
            if self._keys is keys:
                if time.monotonic() - self._tried < COOLDOWN_S:
                    return None
                self._fetch()
            return self._keys

    def _document(self):
        """The time-out of a socket is for one read; a document that drips would take for ever."""
        deadline = time.monotonic() + FETCH_TIMEOUT_S
        document = bytearray()
        with self._opener.open(self._uri, timeout=FETCH_TIMEOUT_S) as response:
            while chunk := response.read1(MAX_BYTES):
                document += chunk
                if len(document) > MAX_BYTES or time.monotonic() > deadline:
                    raise TimeoutError("the key set is too long or takes too long")
        return document

    def _is_fresh(self):
        return time.monotonic() - self._fetched < self._max_age_s

    def _fetch(self):
        self._tried = time.monotonic()
        keys = self._parse(json.loads(self._document()))
        self._keys, self._fetched = keys, time.monotonic()
