"""plotly.js as the browser gets it: the Python package's own, so that nothing comes from outside.

Streamlit serves the copy in `static/` (a symbolic link there would be refused), but compresses it anew for each visitor,
half a second of the whole server, and lets no browser keep it. The dashboard's own server sends what was compressed once.
"""

import gzip
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from dpcore import files, program

_COPY = Path(__file__).parents[3] / "static" / "plotly.min.js"
_PACKED = _COPY.with_suffix(".js.gz")
_PATH = "app/static/plotly.min.js"
URL = f"{_PATH}?{version('plotly')}"  # another version has another address: a browser may keep each for good


def prepare() -> None:
    """Puts the package's file where it is served from, as it is and compressed."""
    # Found and not loaded: that takes time before the server listens.
    source = program.folder_of("plotly") / "package_data" / _COPY.name
    if _COPY.exists() and _PACKED.exists() and _COPY.stat().st_size == source.stat().st_size:
        return
    script = source.read_bytes()
    _COPY.parent.mkdir(exist_ok=True)
    files.write(_PACKED, gzip.compress(script))
    files.write(_COPY, script)


def _send(request: Request) -> FileResponse:
    headers = {
        "Content-Encoding": "gzip",
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(_PACKED, media_type="text/javascript", headers=headers)


ROUTE = Route(f"/{_PATH}", _send)
