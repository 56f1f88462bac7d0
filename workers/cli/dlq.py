"""`spectraq dlq`: what could not be analysed, why, and another try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.terminal import print_json, print_line, print_lines, print_table, stderr, stdout

if TYPE_CHECKING:
    from spectraq.workers.deadletters.browse import Letter
    from spectraq.workers.deadletters.replay import Try
    from spectraq.workers.settings import Settings

app = typer.Typer(help="What could not be analysed, why, and another try.", no_args_is_help=True)

NEWEST_SHOWN = 10

Place = Annotated[str, typer.Argument(help="PARTITION:OFFSET of the letter, as `dlq list` prints it.")]


@app.command(name="list")
def list_them(config: Config = None, as_json: AsJson = False) -> None:
    """Count the dead letters by reason, and list the newest.

    Example: `spectraq dlq list`
    """
    from spectraq.workers.deadletters.browse import every_letter

    counts: Counter[str] = Counter()
    advice: dict[str, str] = {}
    letters = []
    for placed in every_letter(_settings(config)):  # without their bytes: there may be more than memory
        counts[str(placed.letter.reason)] += 1
        advice[str(placed.letter.reason)] = placed.letter.advice
        letters.append((placed.letter.timestamp_ms, _summary(placed)))
    if as_json:
        print_json({"count": len(letters), "reasons": counts, "letters": [summary for _, summary in letters]})
        return
    if not letters:
        stdout.print("no dead letters")
        return
    print_table(
        ("reason", "letters#", "what to do"),
        [(reason, count, advice[reason]) for reason, count in counts.most_common()],
    )
    newest = [summary for _, summary in sorted(letters, key=lambda pair: pair[0])[-NEWEST_SHOWN:]]
    stdout.print()
    print_table(
        ("letter", "original", "reason", "message"),
        [(x["letter"], x["original"], x["reason"], x["message"][:80]) for x in newest],
    )


@app.command()
def show(place: Place, config: Config = None, as_json: AsJson = False) -> None:
    """Show one dead letter, decoded and drawn as far as it can be.

    Example: `spectraq dlq show 0:12`
    """
    placed = _letter_at(_settings(config), place)
    letter = placed.letter
    if as_json:
        print_json(letter.to_json_dict())
        return
    when = "at a time that is not known"
    if letter.timestamp_ms >= 0:
        when = datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    key = "none" if letter.key is None else letter.key.decode(errors="replace")
    rows = {
        "reason": f"{letter.reason}: {letter.message}",
        "what to do": letter.advice,
        "original": f"{placed.origin}, {when}",
        "key": key,
        "headers": ", ".join(f"{name}={value.decode(errors='replace')}" for name, value in letter.headers),
        "bytes": f"{len(letter.value)}, beginning {letter.value[:32].hex(' ')}",
        "decoded": _decoded(placed),
    }
    for name, value in rows.items():
        print_line(f"{name:10s}  {value}")
    print_lines(_drawn(placed))


@app.command()
def replay(
    place: Annotated[str | None, typer.Argument(help="PARTITION:OFFSET of one letter.")] = None,
    reason: Annotated[str | None, typer.Option(help="All letters with this reason.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Of those, the ones set aside since then: 30m, 12h, 2d or 2026-11-23T18:00 (UTC)."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send those too that were sent or answered before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters' original bytes back to the spectra topic; what was answered since is left alone.

    Example: `spectraq dlq replay --reason unknown_schema --since 12h --dry-run`
    """
    from spectraq.workers.deadletters import replay

    if place is None and reason is None and since is None:
        raise typer.BadParameter("give PARTITION:OFFSET of one letter, or --reason, or --since")
    if place is not None and (reason is not None or since is not None):
        raise typer.BadParameter("give PARTITION:OFFSET alone, or --reason and --since")
    settings = _settings(config)
    letters = [_letter_at(settings, place)] if place else _chosen(settings, reason, since)
    tries = replay.plan(settings, letters, again)
    if not dry_run:
        replay.send(settings, tries)
    if as_json:
        rows = [_summary(tried.letter) | {"not_sent": tried.not_sent} for tried in tries]
        print_json(
            {
                "dry_run": dry_run,
                "replayed": [r for r in rows if not r["not_sent"]],
                "left_alone": [r for r in rows if r["not_sent"]],
            }
        )
    else:
        _print_tries(tries, settings.topics.spectra, dry_run)


def _print_tries(tries: Sequence[Try], topic: str, dry_run: bool) -> None:
    """Say of each letter whether it goes back to the topic, and why not."""
    to_send = [tried for tried in tries if not tried.not_sent]
    for placed, not_sent in tries:
        left = f"  left alone: {not_sent}" if not_sent else ""
        print_line(f"{placed.place}  {placed.origin}  {placed.letter.reason}{left}")
    verb = "would send" if dry_run else "sent"
    rest = (
        f"; {len(tries) - len(to_send)} left alone (--again sends them too)"
        if len(to_send) < len(tries)
        else ""
    )
    stderr.print(f"{verb} {len(to_send)} to {topic}{rest}", highlight=False)


def _settings(config: Path | None) -> Settings:
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log)  # what is stepped over is said on stderr, and not among the letters
    return settings


def _letter_at(settings: Settings, place: str) -> Letter:
    from spectraq.workers.deadletters.browse import letter_at

    parts = place.split(":")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{place!r} is not PARTITION:OFFSET, such as 0:12")
    return letter_at(settings, int(parts[0]), int(parts[1]))


def _chosen(settings: Settings, reason: str | None, since: str | None) -> list[Letter]:
    from spectraq.schemas.deadletter import DeadLetterReason
    from spectraq.workers.deadletters.browse import every_letter

    if reason is not None and reason not in set(DeadLetterReason):
        raise typer.BadParameter(
            f"{reason!r} is none of {', '.join(DeadLetterReason)}", param_hint="--reason"
        )
    since_ms = 0 if since is None else _time_ms(since)
    return [
        placed
        for placed in every_letter(settings)
        if placed.set_aside_ms >= since_ms and reason in (None, placed.letter.reason)
    ]


def _time_ms(text: str) -> int:
    """Milliseconds since 1970 UTC of a date, or of so many minutes, hours or days ago."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units:
            when = datetime.now(UTC) - timedelta(**{units[text[-1]]: float(text[:-1])})
        else:
            when = datetime.fromisoformat(text)
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return int(when.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither an age such as 30m, 12h or 2d nor a time such as 2026-11-23T18:00",
            param_hint="--since",
        ) from None


def _summary(placed: Letter) -> dict[str, Any]:
    letter = placed.letter
    return {
        "letter": placed.place,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "last_offset": letter.last_offset,
        "original": placed.origin,
        "reason": str(letter.reason),
        "message": letter.message,
    }


def _drawn(placed: Letter) -> str:
    """Return the spectrum as far as it can be drawn; nothing where the letter is none."""
    from spectraq.schemas.codec import DecodeError
    from spectraq.workers.cli.terminal_plot import drawing

    try:
        return drawing(placed.spectrum())
    except (DecodeError, ValueError) as error:
        return "" if isinstance(error, DecodeError) else f"not drawn: {error}"


def _decoded(placed: Letter) -> str:
    from spectraq.schemas.codec import DecodeError

    try:
        spectrum = placed.spectrum()
    except DecodeError as error:
        return f"not as a spectrum: {error}"
    return f"{spectrum.spectrum_id}, {spectrum.n_pixels} pixels, survey {spectrum.survey or 'unknown'}"
