"""`spectraq objects`: what is remembered of objects, so that later spectra are compared with it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.reading_options import Air, Files, Format, WavelengthUnit
from spectraq.workers.cli.terminal import print_json, print_line, print_table, progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.contract.object_choice import Remembered, Said
    from spectraq.workers.errors import ReadError
    from spectraq.workers.settings import Settings

app = typer.Typer(help="See, fill, refill and empty the memory of objects.", no_args_is_help=True)

COLUMNS = ("spectrum", "survey", "mjd#", "S/N#", "class", "z#", "remembered")


def _settings(config: Any) -> Settings:
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log)
    return settings


@app.command(name="list")
def list_them(
    most: Annotated[int, typer.Option("--max", help="End after this many objects.", min=1)] = 100,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List objects that Redis remembers, in no order.

    Example: `spectraq objects list --max 10`
    """
    from spectraq.workers.objects.opened import memory

    with memory(_settings(config)) as of:
        found = list(islice(of.objects(), most))
    rows: list[dict[str, Any]] = [
        {
            "object": each[0][1].object,
            "spectra": len(each),
            "ra": each[-1][1].ra,
            "dec": each[-1][1].dec,
            "best_snr": max(one.snr for _, one in each),
        }
        for each in (sorted(spectra, key=lambda seen: seen[0]) for spectra in found)
    ]
    if as_json:
        print_json(rows)
        return
    cells = [
        (
            row["object"],
            row["spectra"],
            _number(row["ra"], 5),
            _number(row["dec"], 5),
            _number(row["best_snr"], 1),
        )
        for row in rows
    ]
    print_table(("object", "spectra#", "ra#", "dec#", "best S/N#"), cells)


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="Name of the object: survey:target_id.")] = None,
    position: Annotated[
        tuple[float, float] | None,
        typer.Option("--position", help="Right ascension and declination (deg, ICRS), in place of a name."),
    ] = None,
    radius: Annotated[
        float | None, typer.Option(help="Around the position, arcsec; objects.radius_arcsec by default.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the spectra that are remembered of an object, or of all objects at a position.

    Example: `spectraq objects show sdss:299489676975171584`

    Example: `spectraq objects show --position 145.89219 0.05937`
    """
    from spectraq.workers.errors import SpectraqError
    from spectraq.workers.objects.opened import memory, spectra_near, spectra_of

    if (name is None) == (position is None):
        raise typer.BadParameter("give the name of an object, or --position RA DEC")
    settings = _settings(config)
    with memory(settings) as of:
        if name is not None:
            found = spectra_of(of, name)
        else:
            assert position is not None
            found = spectra_near(of, *position, _radius(radius, settings))
        said = of.said([one for _, one in found])
    if not found:
        raise SpectraqError(
            f"nothing is remembered of {name if name is not None else 'that position'}; workers remember"
            " where worker.changes is on, and `spectraq objects load` fills the memory from files"
        )
    if as_json:
        print_json([_as_json(us, one, s) for (us, one), s in zip(found, said, strict=True)])
        return
    rows = [_row(us, one, s) for (us, one), s in zip(found, said, strict=True)]
    print_table(COLUMNS, rows, title=" = ".join(dict.fromkeys(one.object for _, one in found)))


@app.command()
def load(
    files: Files,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Remember the spectra of files, such as a survey's earlier release; nothing is analysed yet.

    What is remembered already stays as it is, so that the same command again is no harm.

    Example: `spectraq objects load release-1/`
    """
    from spectraq.workers.cli.reading_options import spectra
    from spectraq.workers.objects.load import load as load_all

    settings = _settings(config)
    loaded = load_all(settings, _counted(spectra(files, format, air, wavelength_unit)))
    if as_json:
        print_json(asdict(loaded))
    else:
        print_line(
            f"remembered {loaded.kept} spectra; {loaded.worse} are worse than what their objects have, "
            f"{loaded.nameless} have neither target_id nor position, {loaded.noisy} are too noisy, "
            f"{loaded.unreadable} could not be read"
        )
    if loaded.unreadable:
        raise typer.Exit(1)


@app.command()
def rebuild(config: Config = None, as_json: AsJson = False) -> None:
    """Refill Redis from the topic of objects, after it lost its memory.

    Workers need not be stopped.

    Example: `spectraq objects rebuild`
    """
    from spectraq.workers.objects.rebuild import rebuild as rebuild_all

    settings = _settings(config)
    with progress() as bar:
        task = bar.add_task("reading", total=None)
        done = rebuild_all(settings, lambda read: bar.advance(task, read))
    if as_json:
        print_json(asdict(done))
        return
    unreadable = f"; {done.unreadable} messages are no record of ours" if done.unreadable else ""
    print_line(f"wrote {done.spectra} spectra and removed {done.forgotten} forgotten ones{unreadable}")


@app.command()
def forget(
    name: Annotated[str, typer.Argument(help="Name of the object: survey:target_id.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Forget an object: its spectra are removed from the topic and from Redis.

    Example: `spectraq objects forget sdss:299489676975171584`
    """
    from spectraq.workers.objects.load import forget as forget_all

    spectra = forget_all(_settings(config), name)
    if as_json:
        print_json({"object": name, "forgotten": spectra})
    else:
        print_line(f"forgot {spectra} spectra of {name}")


def _radius(radius: float | None, settings: Settings) -> float:
    from spectraq.workers.objects_settings import MAX_RADIUS_ARCSEC

    radius = settings.objects.radius_arcsec if radius is None else radius
    if not 0 < radius <= MAX_RADIUS_ARCSEC:
        raise typer.BadParameter(f"a radius is above 0 and at most {MAX_RADIUS_ARCSEC:g} arcsec")
    return radius


def _counted(items: Iterable[Spectrum | ReadError]) -> Iterator[Spectrum | ReadError]:
    from spectraq.workers.cli.reading_options import complain

    with progress() as bar:
        task = bar.add_task("remembering", total=None)
        for item in items:
            if isinstance(item, Exception):
                complain(item)
            bar.advance(task)
            yield item


def _as_json(us: int, one: Remembered, said: Said) -> dict[str, Any]:
    from spectraq.workers.contract.remembering import result_ids

    return {**one.model_dump(), **said.model_dump(), **result_ids(one), "remembered_us": us}


def _row(us: int, one: Remembered, said: Said) -> tuple[str, ...]:
    when = datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return (
        one.spectrum_id,
        one.survey or "",
        _number(one.mjd, 3),
        _number(one.snr, 1),
        said.spectype or "",
        _number(said.z, 5),
        when,
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
