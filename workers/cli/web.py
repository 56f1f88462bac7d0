"""`spectraq web`: the page, of the stream or of files."""

from __future__ import annotations

from typing import Annotated

import typer

from spectraq.workers.cli.common_options import Config
from spectraq.workers.cli.reading_options import Air, Format, WavelengthUnit, spectra

KEEP = 20_000
"""Spectra that the page remembers."""
PORT = 8765


def web(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Show these files or folders; without, the stream.", show_default=False),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own demands a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: a free one.", min=0, max=65535)] = PORT,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    keep: Annotated[int, typer.Option(help="Results that are kept in memory.", min=100)] = KEEP,
    models: Annotated[
        bool, typer.Option(help="Make best fits and measurements here where the workers do not publish them.")
    ] = True,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    config: Config = None,
) -> None:
    """Show the stream, or files, as a page in the browser; Ctrl-C ends it.

    The setting `web.token` (SPECTRAQ_WEB__TOKEN, or the file that SPECTRAQ_WEB__TOKEN_FILE names) is what
    viewers must show. One is made up where the address is not this machine's own and none is given.

    Example: `spectraq web`

    Example: `spectraq web spectra/ --open`
    """
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    require_packages()
    from spectraq.workers.web import serve as page

    settings = load_settings(config)
    log.configure(settings.log)
    parts = (
        page.of_files(settings, spectra(files, format, air, wavelength_unit), keep)
        if files
        else page.of_topics(settings, keep, models)
    )
    token = settings.web.token.get_secret_value() if settings.web.token else None
    listening = page.Listening(host, port, token)
    page.serve(parts, listening, announce, open_browser)


def require_packages() -> None:
    """See that what serves the page is installed: it comes with an extra of its own.

    Raises
    ------
    SettingsError
        Where it is not.
    """
    from spectraq.workers.errors import SettingsError

    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise SettingsError(f"the page needs {error.name}: pip install 'spectraq[web]'") from error


def announce(address: str) -> None:
    """Say where the page is, on stdout, where programs look for it too."""
    typer.echo(address)
