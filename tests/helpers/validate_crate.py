"""Run by the checkers' Python: validates an RO-Crate offline.

    python validate_crate.py FOLDER CONTEXT CACHE REPORT

The validator asks for the JSON-LD context of RO-Crate 1.3 by its address. CONTEXT, the copy that the rocrate package
ships, is put into its cache of HTTP answers first.
"""

import io
import sys
from pathlib import Path

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.cli import cli
from urllib3 import HTTPResponse

ADDRESS = "https://w3id.org/ro/crate/1.3/context"


class Shipped(HTTPAdapter):
    """Answers with the bytes of a file, without a network."""

    def __init__(self, file: str):
        self.file = file
        super().__init__()

    def send(self, request, **options):
        body = io.BytesIO(Path(self.file).read_bytes())
        answer = HTTPResponse(body, {"Content-Type": "application/ld+json"}, status=200, preload_content=False,
                              request_url=request.url)  # fmt: skip
        return self.build_response(request, answer)


folder, context, cache, report = sys.argv[1:]
session = CachedSession(cache, expire_after=-1, cache_control=False)
session.mount("https://", Shipped(context))
session.get(ADDRESS)
line = ["validate", "--profile-identifier", "ro-crate-1.3", "--offline", "--cache-path", cache, "--cache-max-age", "-1"]
cli([*line, "--output-format", "json", "--output-file", report, folder])
