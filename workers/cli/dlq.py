"""`spectraq dlq`: what could not be analysed, why, and another try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from workers.cli.output import print_json, print_table, stderr, stdout

if TYPE_CHECKING:
    from schemas.deadletter import DeadLetter
    from workers.settings import Settings

app = typer.Typer(help="What could not be analysed, why, and another try.", no_args_is_help=True)

NEWEST_SHOWN = 10
QUIET_S = 0.5
REPLAY_HEADER = "spectraq-replay-of"
"""Says of a replayed message which one it repeats: topic:partition:offset."""

Config = Annotated[Path | None, typer.Option(help="TOML file of settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Place = Annotated[str, typer.Argument(help="PARTITION:OFFSET of the letter, as `dlq list` prints it.")]


class Letter(NamedTuple):
    """A dead letter and where it lies."""

    partition: int
    offset: int
    letter: DeadLetter

    @property
    def place(self) -> str:
        """PARTITION:OFFSET."""
        return f"{self.partition}:{self.offset}"


@app.command(name="list")
def list_them(config: Config = None, as_json: AsJson = False) -> None:
    """Count the dead letters by reason, and list the newest.

    Example: `spectraq dlq list`
    """
    from workers.settings import load_settings

    letters = list(_letters(load_settings(config)))
    counts = Counter(str(found.letter.reason) for found in letters)
    if as_json:
        print_json(
            {"count": len(letters), "reasons": counts, "letters": [_summary(found) for found in letters]}
        )
        return
    if not letters:
        stdout.print("no dead letters")
        return
    advice = {str(found.letter.reason): found.letter.advice for found in letters}
    print_table(
        ("reason", "letters#", "what to do"),
        [(reason, count, advice[reason]) for reason, count in counts.most_common()],
    )
    newest = sorted(letters, key=lambda found: found.letter.timestamp_ms)[-NEWEST_SHOWN:]
    stdout.print()
    print_table(
        ("letter", "original", "reason", "message"),
        [(f.place, _origin(f.letter), f.letter.reason, f.letter.message[:80]) for f in newest],
    )


@app.command()
def show(place: Place, config: Config = None, as_json: AsJson = False) -> None:
    """Show one dead letter, decoded as far as it can be.

    Example: `spectraq dlq show 0:12`
    """
    from workers.settings import load_settings

    found = _at(load_settings(config), place)
    letter = found.letter
    if as_json:
        print_json(letter.to_json_dict())
        return
    when = datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    key = "none" if letter.key is None else letter.key.decode(errors="replace")
    rows = {
        "reason": f"{letter.reason}: {letter.message}",
        "what to do": letter.advice,
        "original": f"{_origin(letter)}, {when}",
        "key": key,
        "headers": ", ".join(f"{name}={value.decode(errors='replace')}" for name, value in letter.headers),
        "bytes": f"{len(letter.value)}, beginning {letter.value[:32].hex(' ')}",
        "decoded": _decoded(letter),
    }
    for name, value in rows.items():
        stdout.print(f"{name:10s}  {value}", markup=False, highlight=False)


@app.command()
def replay(
    place: Annotated[str | None, typer.Argument(help="PARTITION:OFFSET of one letter.")] = None,
    reason: Annotated[str | None, typer.Option(help="All letters with this reason.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters' original bytes back to the spectra topic.

    Example: `spectraq dlq replay --reason unknown_schema --dry-run`
    """
    from workers.settings import load_settings
    from workers.transport.publisher import Publisher

    if (place is None) == (reason is None):
        raise typer.BadParameter("give PARTITION:OFFSET of one letter, or --reason")
    settings = load_settings(config)
    letters = [_at(settings, place)] if place else _with_reason(settings, str(reason))
    if not dry_run and letters:
        with Publisher(settings) as publisher:
            for found in letters:
                letter = found.letter
                origin = f"{letter.topic}:{letter.partition}:{letter.offset}".encode()
                headers = [(name, value) for name, value in letter.headers if name != REPLAY_HEADER]
                publisher.send(
                    settings.topics.spectra, letter.key, letter.value, [*headers, (REPLAY_HEADER, origin)]
                )
    if as_json:
        print_json({"dry_run": dry_run, "replayed": [_summary(found) for found in letters]})
        return
    for found in letters:
        stdout.print(f"{found.place}  {_origin(found.letter)}  {found.letter.reason}", highlight=False)
    verb = "would send" if dry_run else "sent"
    stderr.print(f"{verb} {len(letters)} to {settings.topics.spectra}", highlight=False)


def _letters(settings: Settings) -> Iterator[Letter]:
    """Read every dead letter that is there now, oldest first in each partition."""
    from schemas.codec import DecodeError, decode
    from schemas.deadletter import DeadLetter
    from workers.transport.follower import Follower

    with Follower(settings, [settings.topics.dead_letters], from_beginning=True) as follower:
        while True:
            for record in follower.poll(QUIET_S):
                try:
                    letter = decode(record.value, record.headers, expect=DeadLetter)
                except DecodeError as error:
                    place = f"{record.partition}:{record.offset}"
                    stderr.print(f"{place} is no dead letter of ours: {error}", markup=False, highlight=False)
                    continue
                yield Letter(record.partition, record.offset, letter)
            if follower.drained():
                return


def _at(settings: Settings, place: str) -> Letter:
    from workers.errors import SpectraqError

    parts = place.split(":")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{place!r} is not PARTITION:OFFSET, such as 0:12")
    for found in _letters(settings):
        if found.place == f"{int(parts[0])}:{int(parts[1])}":
            return found
    raise SpectraqError(
        f"no dead letter at {place} in {settings.topics.dead_letters}; see `spectraq dlq list`"
    )


def _with_reason(settings: Settings, reason: str) -> list[Letter]:
    from schemas.deadletter import DeadLetterReason

    if reason not in set(DeadLetterReason):
        raise typer.BadParameter(
            f"{reason!r} is none of {', '.join(DeadLetterReason)}", param_hint="--reason"
        )
    return [found for found in _letters(settings) if found.letter.reason == reason]


def _origin(letter: DeadLetter) -> str:
    return f"{letter.topic} {letter.partition}:{letter.offset}"


def _summary(found: Letter) -> dict[str, Any]:
    letter = found.letter
    return {
        "letter": found.place,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": str(letter.reason),
        "message": letter.message,
    }


def _decoded(letter: DeadLetter) -> str:
    from schemas.codec import DecodeError, decode
    from schemas.spectrum import Spectrum

    try:
        spectrum = decode(letter.value, letter.headers, expect=Spectrum)
    except DecodeError as error:
        return f"not as a spectrum: {error}"
    return f"{spectrum.spectrum_id}, {spectrum.n_pixels} pixels, survey {spectrum.survey or 'unknown'}"
