"""`spectraq analyze`: classes, redshifts and anomalies of files, without Kafka or Redis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from workers.cli.output import print_json, print_table, progress, stderr

if TYPE_CHECKING:
    from workers.direct import Answered, Unanswered
    from workers.settings import Settings

COLUMNS = ("spectrum", "class", "p#", "subclass", "z#", "±#", "S/N#", "warnings", "anomaly")


def analyze(
    files: Annotated[list[str], typer.Argument(help="Files or folders of spectra.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a spectrum.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write a table too: .csv, .ecsv, .parquet or .fits.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="sdss, desi, lamost, table or specutils; recognised when left out.")
    ] = None,
    air: Annotated[bool, typer.Option("--air", help="Wavelengths of plain tables are in air.")] = False,
    wavelength_unit: Annotated[
        str | None, typer.Option(help="Unit of wavelength of plain tables that do not say it, e.g. nm.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Spectra a batch.", min=1)] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where the networks run.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; 0: one for each core.", min=0)] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
) -> None:
    """Classify spectra in files, measure their redshifts and flag the odd ones.

    Example: `spectraq analyze spectra/ --output results.ecsv`
    """
    from workers import log, tables
    from workers.settings import load_settings

    options = {"batch_spectra": batch, "device": device, "threads": threads}
    given = {name: value for name, value in options.items() if value is not None}
    settings = load_settings(config, worker=given)
    log.configure(settings.log)
    if output is not None:
        tables.check_suffix(output)
    medium: Literal["air"] | None = "air" if air else None
    results = _results(files, settings, format, medium, wavelength_unit)
    found = _show_json(results) if as_json else _show_table(results)
    if output is not None:
        tables.write(output, (tables.row(answered) for answered in found.answered))
        stderr.print(f"wrote {len(found.answered)} rows to {output}", highlight=False, markup=False)
    if found.unanswered:
        stderr.print(
            f"spectraq: error: {found.unanswered} of {found.unanswered + found.n} could not be analysed",
            highlight=False,
        )
        raise typer.Exit(1)


class _Found:
    """What came out so far."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []
        self.n = 0
        self.unanswered = 0

    def add(self, result: Answered | Unanswered) -> bool:
        """Count a result; a missing one is said on stderr. Returns whether it is an answer."""
        from workers.direct import Unanswered

        if isinstance(result, Unanswered):
            self.unanswered += 1
            stderr.print(f"spectraq: error: {result}", markup=False, highlight=False)
            return False
        self.n += 1
        self.answered.append(result)
        return True


def _results(
    files: list[str], settings: Settings, format: str | None, medium: Any, wavelength_unit: str | None
) -> Iterator[Answered | Unanswered]:
    from models.pipeline import Pipeline
    from workers import direct, readers
    from workers.analysis import Analysis
    from workers.analysis import device as chosen
    from workers.errors import ReadError, SettingsError

    worker = settings.worker
    try:
        pipeline = Pipeline.load(device=chosen(worker.device), threads=worker.threads)
    except ValueError as error:
        raise SettingsError(f"the networks can't be loaded: {error}") from error
    items = itertools.chain.from_iterable(
        [name]
        if isinstance(name, ReadError)
        else readers.read(name, format, medium=medium, wavelength_unit=wavelength_unit)
        for name in readers.find(files)
    )
    analysis = Analysis(pipeline, worker.batch_spectra)
    with progress() as bar:
        task = bar.add_task("analysing", total=None)
        for result in direct.analyze(items, analysis, worker.batch_spectra, worker.max_pixels):
            bar.advance(task)
            yield result


def _show_json(results: Iterator[Answered | Unanswered]) -> _Found:
    found = _Found()
    for result in results:
        found.add(result)
        print_json(result.as_json())
    return found


def _show_table(results: Iterator[Answered | Unanswered]) -> _Found:
    found = _Found()
    rows = [_row(result) for result in results if found.add(result)]  # type: ignore[arg-type]
    if rows:
        print_table(COLUMNS, rows)
        flagged = sum(answered.results.anomaly.flagged for answered in found.answered)
        classes = [answered.results.classification.spectype for answered in found.answered]
        counts = ", ".join(f"{classes.count(name)} {name}" for name in sorted(set(classes)))
        stderr.print(f"\n{found.n} spectra: {counts}; {flagged} flagged as anomalies", highlight=False)
    return found


def _row(answered: Answered) -> tuple[str, ...]:
    classification, redshift = answered.results.classification, answered.results.redshift
    anomaly = answered.results.anomaly
    return (
        answered.spectrum.spectrum_id,
        classification.spectype,
        f"{classification.class_probability[classification.spectype]:.2f}",
        classification.subtype,
        f"{redshift.z:.5f}",
        f"{redshift.zerr:.5f}",
        f"{redshift.snr:.1f}",
        " ".join(redshift.zwarn_names),
        anomaly.reasons[0].message if anomaly.flagged and anomaly.reasons else "",
    )
