"""`spectraq analyze`: classes, redshifts and anomalies of files, without Kafka or Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer

from spectraq.schemas.text import escaped
from spectraq.workers.cli.common_options import Config, Weights
from spectraq.workers.cli.reading_options import (
    Air,
    Files,
    Format,
    Reader,
    WavelengthUnit,
    files_of,
    print_formats,
    reader,
    spectra_of,
)
from spectraq.workers.cli.resultlines import heading, line
from spectraq.workers.cli.strangest import Strangest
from spectraq.workers.cli.terminal import json_line, print_error, progress, stderr, stdout
from spectraq.workers.cli.writing import WRONG_USE, Overwrite, check_new

if TYPE_CHECKING:
    from spectraq.models.ranking import VerdictWeights
    from spectraq.schemas.results import SharedFault
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.errors import ReadError
    from spectraq.workers.files.analyze_files import Answered, Unanswered
    from spectraq.workers.files.file_groups import Given
    from spectraq.workers.files.result_table import Row
    from spectraq.workers.settings import Settings

FAILED = 1

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a spectrum.")]
Output = Annotated[Path | None, typer.Option(help="Write a table too: .csv, .ecsv, .parquet or .fits.")]
BatchSpectra = Annotated[int | None, typer.Option(help="Spectra a batch.", min=1)]
Device = Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where the networks run.")]
Threads = Annotated[int | None, typer.Option(help="CPU cores to use; 0: all there are.", min=0)]
Measurements = Annotated[
    bool,
    typer.Option("--measurements", help="Measure lines, indices and masses too: takes 2 to 3 times as long."),
]
Members = Annotated[
    str | None,
    typer.Option(help="Networks to ask, with commas between: classifier-1,encoder. All otherwise."),
]
Open = Annotated[bool, typer.Option("--open", help="Then show them in the browser, until Ctrl-C.")]
MostStrange = Annotated[
    int,
    typer.Option(help="List so many of the flagged at the end, those first that deserve a look most.", min=0),
]
Formats = Annotated[
    bool,
    typer.Option("--formats", is_eager=True, callback=print_formats, help="List the formats that are read."),
]


def analyze(
    files: Files,
    as_json: AsJson = False,
    output: Output = None,
    overwrite: Overwrite = False,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    measurements: Measurements = False,
    batch: BatchSpectra = None,
    device: Device = None,
    threads: Threads = None,
    members: Members = None,
    weights: Weights = None,
    strangest: MostStrange = 0,
    open_page: Open = False,
    formats: Formats = False,
    config: Config = None,
) -> None:
    """Classify spectra in files, measure their redshifts and flag the odd ones.

    A file or a row that can't be read is said on stderr, the rest goes on, and the exit code is 1.

    Example: `spectraq analyze spectra/ --output results.ecsv`

    Example: `spectraq analyze night/ --strangest 20`
    """
    if output is not None:
        _check_output(output)
        check_new("--output", output, overwrite, files)
    read_file = reader(format, air, wavelength_unit)
    settings = _settings(
        config,
        batch_spectra=batch,
        device=device,
        threads=threads,
        members=members.split(",") if members else None,
        weights=weights,
    )
    _analyze(files, read_file, settings, _Wanted(as_json, output, open_page, measurements, strangest))


@dataclass(frozen=True)
class _Wanted:
    """What the command line asks for."""

    as_json: bool
    output: Path | None
    open_page: bool
    measurements: bool
    strangest: int


def _settings(config: Path | None, **options: Any) -> Settings:
    """Return the settings in force, with the options of the command line that are given."""
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    given = {name: value for name, value in options.items() if value is not None}
    settings = load_settings(config, worker=given)
    log.configure(settings.log, remarks=True)
    return settings


def _analyze(names: list[str], read_file: Reader, settings: Settings, wanted: _Wanted) -> None:
    """Analyse spectra and show them; then write the table and open the page, where asked for."""
    from spectraq.workers.inference import load_ranking

    weights = load_ranking(settings.worker)
    page = _Opened(settings) if wanted.open_page else None
    shown = _Shown(wanted)
    with _Progress(list(files_of(names))) as bar:
        if page:
            results = page.taken(
                _by_spectra(bar, page.noted(spectra_of(bar.files, read_file)), settings, wanted)
            )
        else:
            results = _by_files(bar, read_file, settings, wanted)
        for result in results:
            bar.stop()
            shown.show(result)
    if wanted.output is not None:
        shown.write(wanted.output)
    shown.sum_up()
    shown.list_strangest(weights)
    if page:
        page.serve()
    if shown.failed:
        raise typer.Exit(FAILED)


class _Progress:
    """How far it is, from the moment when the files are known: on terminals, until the first result is shown.

    Where folders judge, results come when all spectra are analysed.
    """

    def __init__(self, files: list[str | ReadError]) -> None:
        self.files = files
        self._bar = progress()
        self._task = self._bar.add_task("loading the networks", total=len(files), start=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()

    def begin(self, what: str, total: int | None) -> None:
        """Show what is counted, from now on."""
        self._bar.update(self._task, description=what, total=total)
        self._bar.start_task(self._task)

    def advance(self, count: int) -> None:
        """Show that so many more are done."""
        self._bar.advance(self._task, count)

    def stop(self) -> None:
        """Leave the terminal to the results."""
        self._bar.stop()


def _by_files(
    bar: _Progress, read_file: Reader, settings: Settings, wanted: _Wanted
) -> Iterator[Answered | Unanswered]:
    """Read files where they are analysed."""
    from spectraq.workers.files import analyze_files, share
    from spectraq.workers.files.analyze_paths import PathAnalysis
    from spectraq.workers.inference import SafeInference, load_networks, load_normal

    worker = settings.worker
    pipeline = load_networks(worker, share.PROGRAM)
    networks = SafeInference(pipeline, worker.batch_spectra)
    as_given = (read_file.format, read_file.medium, read_file.wavelength_unit)
    how = share.Wanted(*as_given, worker.batch_spectra, worker.max_pixels, wanted.measurements)
    paths = PathAnalysis(networks, pipeline, how, read_file.note, bar.advance)
    bar.begin("files", len(bar.files))

    def outcomes() -> Iterator[list[Given | Unanswered]]:
        yield from paths.outcomes(bar.files)
        read_file.sum_up()

    if not worker.adapt:
        return analyze_files.judged_alone(outcomes(), networks)
    return analyze_files.judged_in_groups(outcomes(), networks, load_normal(worker))


def _by_spectra(
    bar: _Progress, items: Iterator[Spectrum | ReadError], settings: Settings, wanted: _Wanted
) -> Iterator[Answered | Unanswered]:
    """Read files here, as their pixels are needed here, too."""
    from spectraq.workers.files import analyze_files
    from spectraq.workers.inference import SafeInference, load_networks, load_normal

    worker = settings.worker
    networks = SafeInference(load_networks(worker), worker.batch_spectra)
    limits = (worker.batch_spectra, worker.max_pixels)
    bar.begin("spectra", None)
    if not worker.adapt:
        return analyze_files.analyze(items, networks, *limits, wanted.measurements)
    normal = load_normal(worker)
    return analyze_files.analyze_in_groups(items, networks, *limits, normal, bar.advance, wanted.measurements)


class _Shown:
    """Shows results one by one, and keeps of them what the end needs: counts, and rows for a table."""

    def __init__(self, wanted: _Wanted) -> None:
        from spectraq.workers.files.result_table import columns

        self._as_json = wanted.as_json
        self._rows: list[Row] | None = None if wanted.output is None else []
        self._columns = columns(wanted.measurements)
        self._classes: Counter[str] = Counter()
        self._flagged = 0
        self._faults: list[SharedFault] = []
        self._sharing: Counter[str] = Counter()
        self._strangest = Strangest(wanted.strangest) if wanted.strangest else None
        self.failed = 0

    def show(self, result: Answered | Unanswered) -> None:
        """Print a result, or say on stderr why there is none."""
        from spectraq.workers.files.analyze_files import Answered
        from spectraq.workers.files.result_table import row

        if isinstance(result, Answered):
            if not self._as_json:
                self._print_line(result)
            self._classes[result.results.classification.spectype] += 1
            self._flagged += result.results.anomaly.flagged
            self._faults += result.results.anomaly.reported
            self._sharing.update(result.results.anomaly.shared)
            if self._strangest is not None:
                self._strangest.take(result)
        else:
            self.failed += 1
            print_error(str(result))
        if self._as_json:
            typer.echo(json_line(result.as_json()))
        if self._rows is not None:
            self._rows.append(row(result, self._columns))

    def write(self, path: Path) -> None:
        """Write the table."""
        from spectraq.workers.files.result_table import write

        assert self._rows is not None
        write(path, self._rows, self._columns)
        stderr.print(f"wrote {len(self._rows)} rows to {path}", markup=False, highlight=False)

    def sum_up(self) -> None:
        """Say on stderr what came out."""
        n = self._classes.total()
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self._classes.items()))
        if n:
            spectra = "spectrum" if n == 1 else "spectra"
            stderr.print(f"{n} {spectra}: {counts}; {self._flagged} flagged as anomalies", highlight=False)
        for fault in self._faults:
            judged = f"{self._sharing[fault.fault_id]} judged without it"
            stderr.print(f"{escaped(fault.message)} ({judged})", markup=False, highlight=False)
        if self.failed:
            stderr.print(f"spectraq: error: {self.failed} could not be read or analysed", highlight=False)

    def list_strangest(self, weights: VerdictWeights) -> None:
        """List the flagged that deserve a look most, where asked for: on stderr where stdout is JSON's."""
        if self._strangest is not None:
            self._strangest.show(weights, stderr if self._as_json else stdout)

    def _print_line(self, result: Answered) -> None:
        if not self._classes:
            heading()
        line(result)


class _Opened:
    """The page of what is analysed."""

    def __init__(self, settings: Settings) -> None:
        from spectraq.workers.cli.web import KEEP, require_packages

        require_packages()
        from spectraq.workers.web.night.night import Night
        from spectraq.workers.web.serve import FILE_PIXEL_BYTES

        self._settings, self._night = settings, Night(KEEP, FILE_PIXEL_BYTES)

    def noted(self, items: Iterator[Spectrum | ReadError]) -> Iterator[Spectrum | ReadError]:
        """Keep the pixels."""
        from spectraq.workers.web.sources.files import noted

        return noted(items, self._night)

    def taken(self, results: Iterable[Answered | Unanswered]) -> Iterator[Answered | Unanswered]:
        """Keep the results."""
        from spectraq.workers.web.sources.files import take

        for result in results:
            take(result, self._night)
            yield result

    def serve(self) -> None:
        """Show them until the user has seen enough."""
        from spectraq.workers.cli.web import announce
        from spectraq.workers.web.serve import Listening, of_answers, serve

        serve(of_answers(self._settings, self._night), Listening(), announce, browse=True)


def _check_output(path: Path) -> None:
    from spectraq.workers.errors import SpectraqError
    from spectraq.workers.files import result_table

    try:
        result_table.check(path)
    except SpectraqError as error:
        print_error(f"--output {error}")
        raise typer.Exit(WRONG_USE) from error
