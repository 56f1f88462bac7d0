"""`spectraq bench`: how fast the networks and the codec are on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import typer

from spectraq.workers.cli.common_options import AsJson
from spectraq.workers.cli.terminal import print_json, print_table

REPEATS = 5
SIZES = (1, 16, 64, 256)
MEASURED = 64
"""Spectra that are measured, too: a batch of a worker's."""


def bench(
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks run.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU cores to use; 0: all there are.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure this machine on simulated spectra: the median of five runs, all stages included.

    Example: `spectraq bench --threads 1`
    """
    from spectraq.models.answer import Extra
    from spectraq.schemas import codec
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.demonstration import simulated
    from spectraq.workers.inference import load_networks
    from spectraq.workers.settings import WorkerSettings

    pipeline = load_networks(WorkerSettings(device=device, threads=threads))
    pipeline.start_partners()
    pairs = list(simulated.spectra(max(SIZES), seed=1))
    observations = [made.observation for _, made in pairs]
    ms = {}
    for size in SIZES:
        ms[size] = 1e3 * _median(partial(pipeline.analyze, observations[:size])) / size
    some = observations[:MEASURED]
    measured_ms = 1e3 * _median(partial(pipeline.analyze, some, Extra.MEASUREMENT)) / MEASURED
    spectrum = pairs[0][0]
    body = codec.encode(spectrum)
    microseconds = {
        "encode": 1e6 * _median(lambda: codec.encode(spectrum)),
        "decode": 1e6 * _median(lambda: codec.decode(body, expect=Spectrum)),
    }
    if as_json:
        print_json(
            {
                "analyse_ms": ms,
                "measured_ms": measured_ms,
                "codec_us": microseconds,
                "pixels": spectrum.n_pixels,
            }
        )
        return
    single = ms[SIZES[0]]
    rows = [(size, f"{value:.2f}", f"{single / value:.1f}") for size, value in ms.items()]
    print_table(("batch#", "ms a spectrum#", "times faster than alone#"), rows)
    typer.echo(f"\nwith measurements, {MEASURED} at once: {measured_ms:.2f} ms a spectrum")
    typer.echo(
        f"one spectrum of {spectrum.n_pixels} pixels: encode {microseconds['encode']:.0f} us,"
        f" decode {microseconds['decode']:.0f} us"
    )


def _median(work: Callable[[], object]) -> float:
    work()  # the first run allocates
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
