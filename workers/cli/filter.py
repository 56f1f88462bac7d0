"""`spectraq filter`: expressions over the results of a spectrum, and a topic for what each lets through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.terminal import print_error, print_json, print_table, progress, stderr

if TYPE_CHECKING:
    from spectraq.workers.filters.expression import Vocabulary
    from spectraq.workers.filters.trial import Trial
    from spectraq.workers.settings import Settings

Results = dict[str, dict[str, Any] | None]
FAILED = 1

app = typer.Typer(help="Pass on the results that expressions of your own ask for.", no_args_is_help=True)


@app.command()
def run(
    until_drained: Annotated[
        bool, typer.Option("--until-drained", help="End once all that is there now is done.")
    ] = False,
    config: Config = None,
) -> None:
    """Ask the filters of the settings of every spectrum, and publish what passes, exactly once.

    Each filter is a section of the settings: `[filters.NAME]` with its `expression`.

    Example: `spectraq filter run --config filters.toml`
    """
    settings = _settings(config)
    _log(settings)
    from spectraq.workers.filters.metrics import FilterMetrics
    from spectraq.workers.filters.stream import run as run_filters
    from spectraq.workers.operations.health import served_health
    from spectraq.workers.service.signals import stopped_by_signals

    metrics = FilterMetrics()
    with served_health(metrics, settings.worker) as health:
        stop = stopped_by_signals()
        done = run_filters(settings, stop, until_drained=until_drained, metrics=metrics, health=health)
    typer.echo(str(done))


@app.command()
def send(config: Config = None) -> None:
    """Post what passes to the webhooks of the filters that have one, signed and tried again.

    Example: `spectraq filter send --config filters.toml`
    """
    settings = _settings(config)
    _log(settings)
    from spectraq.workers.filters.metrics import FilterMetrics
    from spectraq.workers.filters.posting import post_all
    from spectraq.workers.operations.health import served_health
    from spectraq.workers.service.signals import stopped_by_signals

    metrics = FilterMetrics()
    with served_health(metrics, settings.worker) as health:
        post_all(settings, stopped_by_signals(), metrics, health)


@app.command(name="try")
def try_out(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="In CEL, or the name of a filter.")],
    files: Annotated[
        list[str] | None, typer.Argument(help="Files to analyse; left out: the stream's last results.")
    ] = None,
    last: Annotated[int, typer.Option(help="Spectra of the stream, those that came last.", min=1)] = 10_000,
    show: Annotated[int, typer.Option(help="List so many of those that pass.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results that pass, one a line.")] = False,
    config: Config = None,
) -> None:
    """Say how many spectra a night an expression lets through, and which; nothing is written.

    Example: `spectraq filter try 'classification.spectype == "QSO" && redshift.z > 2.5' --last 10000`

    Example: `spectraq filter try 'anomaly.flagged && redshift.zwarn == 0' spectra/`
    """
    settings = _settings(config)
    from spectraq.workers.filters.passage import checked
    from spectraq.workers.filters.trial import Trial
    from spectraq.workers.operations import log

    log.configure(settings.log, remarks=True)
    vocabulary = _vocabulary(settings)
    named = settings.filters.named.get(expression)
    of_name = None if named is None else checked(expression, named.expression, vocabulary)
    trial = Trial(of_name or vocabulary.expression(expression), vocabulary)
    if files:
        found = _of_files(settings, files, measured="measurement" in trial.expression.used)
    else:
        found = _of_stream(settings, last)
    _show(trial, found, show, as_json)
    if trial.errors:
        raise typer.Exit(FAILED)


@app.command(name="list")
def list_them(config: Config = None, as_json: AsJson = False) -> None:
    """List the filters of the settings, each checked; exit code 1 when one can't be.

    Example: `spectraq filter list`
    """
    from spectraq.workers.errors import SettingsError

    settings = _settings(config)
    from spectraq.workers.filters.passage import checked

    vocabulary, rows = _vocabulary(settings), []
    for name, one in settings.filters.named.items():
        try:
            checked(name, one.expression, vocabulary)
            wrong = ""
        except SettingsError as error:
            wrong = str(error)
        rows.append((name, settings.filters.topic_of(name), one.expression, wrong))
    if as_json:
        columns = ("name", "topic", "expression", "error")
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(
            ("filter", "topic", "expression", "state"), [(*row[:3], row[3] or "good") for row in rows]
        )
    if any(row[3] for row in rows):
        raise typer.Exit(FAILED)


def _log(settings: Settings) -> None:
    from spectraq.workers.operations import log

    log.configure(settings.log, slot=settings.worker.slot)


def _settings(config: Path | None) -> Settings:
    """Return the settings in force, where what filters need is installed."""
    from spectraq.workers.filters.extra import require_filter_packages
    from spectraq.workers.settings import load_settings

    settings = load_settings(config)
    require_filter_packages()
    return settings


def _vocabulary(settings: Settings) -> Vocabulary:
    from spectraq.workers.filters.expression import Vocabulary
    from spectraq.workers.filters.result_records import result_records

    return Vocabulary(result_records(settings))


def _of_stream(settings: Settings, last: int) -> Iterator[Results]:
    from spectraq.workers.filters.result_records import result_records
    from spectraq.workers.filters.trial import last_results

    with progress() as bar:
        task = bar.add_task("reading", total=None)
        found = list(
            last_results(settings, result_records(settings), last, lambda many: bar.advance(task, many))
        )
    yield from found


def _of_files(settings: Settings, files: list[str], measured: bool) -> Iterator[Results]:
    """Yield the answers that `spectraq analyze` gives of the spectra in files, by the name of the record."""
    from spectraq.workers.cli.reading_options import spectra
    from spectraq.workers.files import analyze_files
    from spectraq.workers.inference import SafeInference, load_networks, load_normal

    worker = settings.worker
    networks = SafeInference(load_networks(worker), worker.batch_spectra)
    items, limits = spectra(files), (worker.batch_spectra, worker.max_pixels)
    normal = load_normal(worker) if worker.adapt else None
    if normal is None:
        answers = analyze_files.analyze(items, networks, *limits, measured)
    else:
        answers = analyze_files.analyze_in_groups(items, networks, *limits, normal, measurements=measured)
    for answer in answers:
        if isinstance(answer, analyze_files.Unanswered):
            print_error(str(answer))
            continue
        found = answer.results
        results = (found.classification, found.redshift, found.anomaly, found.measurement)
        yield {result.kind: result.avro_values() for result in results if result is not None}


def _show(trial: Trial, found: Iterator[Results], show: int, as_json: bool) -> None:
    rows: list[tuple[Any, ...]] = []
    for results in found:
        if not trial.passes(results):
            continue
        if as_json:
            typer.echo(_as_json(trial, results))
        elif len(rows) < show:
            rows.append(_row(results))
    if not as_json and rows:
        print_table(("spectrum", "class", "subtype", "z#", "S/N#", "anomaly"), rows)
    nights = sorted(trial.nights.items())
    if not as_json and nights:
        print_table(("night", "spectra#", "passed#"), [(name, of.read, of.passed) for name, of in nights])
    said = f"{trial.passed} of {trial.read} spectra pass"
    if trial.undecided:
        said += f"; {trial.undecided} lack a value that the expression needs (has() asks for it)"
    stderr.print(said, highlight=False, markup=False)
    for error, many in trial.errors.most_common():
        print_error(f"{many} evaluations failed: {error}")


def _as_json(trial: Trial, results: Results) -> str:
    """Return a line of JSON as a filter publishes it."""
    from spectraq.schemas.filtered import Filtered

    spectrum_id = (results["classification"] or {})["spectrum_id"]
    passed = Filtered(
        filter="try",
        expression_digest=trial.expression.digest,
        spectrum_id=spectrum_id,
        results=results,
    )
    return passed.to_json().decode()


def _row(results: Results) -> tuple[Any, ...]:
    classification, redshift, anomaly = (
        results.get(name) or {} for name in ("classification", "redshift", "anomaly")
    )
    z, reasons = redshift.get("z"), anomaly.get("reasons") or []
    return (
        classification.get("spectrum_id", ""),
        classification.get("spectype", ""),
        classification.get("subtype", ""),
        "" if z is None else f"{z:.5f}",
        f"{classification.get('snr', float('nan')):.1f}",
        reasons[0]["message"] if anomaly.get("flagged") and reasons else "",
    )
