"""Show the page in the user's browser without its token on a command line, which every user can read."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from pathlib import Path
from urllib.parse import quote

from spectraq.workers.web.server.guard import WELCOME

LEADS_ON = '<!doctype html><meta http-equiv="refresh" content="0; url={address}"><title>spectraq</title>'


class Opening:
    """What the browser is started with: the page's address, or a file for this user alone that leads there.

    Parameters
    ----------
    address
        The page's, without a token.
    token
        What the page demands, if anything.
    """

    def __init__(self, address: str, token: str | None) -> None:
        self._file: Path | None = None
        self.address = address
        if token is not None:
            handle, name = tempfile.mkstemp(prefix="spectraq-", suffix=".html")  # nobody else may read it
            with os.fdopen(handle, "w") as file:
                file.write(LEADS_ON.format(address=f"{address}{WELCOME[1:]}?token={quote(token, safe='')}"))
            self._file = Path(name)
            self.address = self._file.as_uri()

    def show(self) -> None:
        """Start the browser."""
        webbrowser.open(self.address)

    def close(self) -> None:
        """Remove what was made for it."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
