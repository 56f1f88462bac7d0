"""`spectraq show`: what is known of one spectrum."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.oddity import oddity, rarity
from spectraq.workers.cli.terminal import print_json, print_line, print_lines, print_table, stdout

if TYPE_CHECKING:
    from spectraq.schemas.results import Measurement
    from spectraq.workers.contract.convert import Results, Subject
    from spectraq.workers.settings import Settings

DAY_S = 86_400.0


def show(
    spectrum_id: Annotated[str, typer.Argument(help="Identity of the spectrum.")],
    config: Config = None,
    as_json: AsJson = False,
    plot: Annotated[
        bool | None, typer.Option("--plot/--no-plot", help="Draw it; by default on terminals only.")
    ] = None,
) -> None:
    """Show the newest results of a spectrum, as they are kept in Redis, and draw it with its best fit.

    It is drawn where Kafka still has it among the messages of the last day; the fit is made here.

    Example: `spectraq show 3655-55240-0026`
    """
    from spectraq.workers.cache.answers import latest_answer
    from spectraq.workers.contract.convert import messages
    from spectraq.workers.errors import SpectraqError
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log)
    kept = latest_answer(settings.redis, spectrum_id)
    if kept is None:
        raise SpectraqError(
            f"{spectrum_id}: no results in the cache; they are kept for {settings.redis.ttl_s // 3600} h"
            " after a worker answered (redis.ttl_s)"
        )
    latest, answer = kept
    results = messages(latest.subject, answer, latest)
    if as_json:
        print_json(
            {
                "spectrum_id": spectrum_id,
                "classification": results.classification.to_json_dict(),
                "redshift": results.redshift.to_json_dict(),
                "anomaly": results.anomaly.to_json_dict(),
            }
            | ({"measurement": results.measurement.to_json_dict()} if results.measurement else {})
        )
        return
    _print(results)
    if stdout.is_terminal if plot is None else plot:
        stdout.print()
        print_lines(_drawn(settings, latest.subject))


def _drawn(settings: Settings, subject: Subject) -> str:
    """Return the drawing, or why there is none."""
    from spectraq.workers.cli.terminal_plot import drawing
    from spectraq.workers.contract.writer_schemas import WriterSchemas
    from spectraq.workers.errors import SpectraqError
    from spectraq.workers.web.night.message_store import Name
    from spectraq.workers.web.night.spectrum_json import spectrum_named
    from spectraq.workers.web.sources.best_fits import Modelling
    from spectraq.workers.web.sources.lookup import Lookup

    name = Name(subject.spectrum_id, subject.digest)
    lookup = Lookup(settings)
    try:
        topics = settings.topics.of_spectra
        read = spectrum_named(name, WriterSchemas(settings.kafka))
        spectrum = lookup.search(topics, name, time.time(), read, before_s=DAY_S)
        if spectrum is None:
            return f"not drawn: {', '.join(topics)} of the last day has no such spectrum with these pixels"
        return drawing(spectrum, Modelling(settings.worker).model(spectrum))
    except SpectraqError as error:
        return f"not drawn: {error}"
    finally:
        lookup.close()


def _print(results: Results) -> None:
    classification, redshift, anomaly = results.classification, results.redshift, results.anomaly
    say = stdout.print
    print_line(f"{classification.spectrum_id}  S/N {redshift.snr:.1f}")
    print_line(
        f"{classification.spectype} {classification.subtype}   z = {redshift.z:.6f} ± {redshift.zerr:.6f}"
        f"   {' '.join(redshift.zwarn_names) or 'no warning'}"
    )
    say()
    print_table(
        ("class", "probability#", "spread#"),
        [
            (name, f"{value:.4f}", f"{classification.class_spread[name]:.4f}")
            for name, value in sorted(classification.class_probability.items(), key=lambda item: -item[1])
        ],
    )
    say()
    print_table(
        ("candidate", "subclass", "z#", "±#", "Δchi2#", "probability#"),
        [
            (
                c.spectype,
                c.subtype,
                f"{c.z:.6f}",
                f"{c.zerr:.6f}",
                f"{c.deltachi2:.1f}",
                f"{c.probability:.3f}",
            )
            for c in redshift.candidates
        ],
    )
    say()
    if anomaly.judgement == "outside_reference":
        say("not judged", highlight=False)
    else:
        verdict = "[bold red]anomaly[/bold red]" if anomaly.flagged else "ordinary"
        say(f"{verdict}, {oddity(anomaly)}: {rarity(anomaly.false_positive_rate)}", highlight=False)
    for reason in anomaly.reasons:
        print_line(f"  {reason.message}")
    if results.measurement is not None:
        _print_measured(results.measurement)


def _print_measured(measurement: Measurement) -> None:
    """Print the lines that are seen, and the quantities that have a value."""
    if measurement.seen:
        stdout.print()
        unit = f"{measurement.flux_unit} Å".strip()
        print_table(
            ("line", "component", "flux#", "±#", "unit"),
            [
                (line.name, line.component, f"{line.flux:.4g}", f"{line.flux_error:.2g}", unit)
                for line in measurement.seen
            ],
        )
    known = [quantity for quantity in measurement.quantities if quantity.value is not None]
    if known:
        stdout.print()
        print_table(
            ("quantity", "value#", "±#", "unit"),
            [(q.name, f"{q.value:.5g}", "" if q.error is None else f"{q.error:.2g}", q.unit) for q in known],
        )
