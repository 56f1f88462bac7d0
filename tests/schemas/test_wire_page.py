"""docs/wire.md says what the schemas say, and its example reads every message without anything of ours."""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spectraq.schemas import codec, compatibility
from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.message import Message
from spectraq.schemas.registry import RECORDS
from spectraq.schemas.results import result_id
from spectraq.schemas.spectrum import Spectrum
from tests.support.wire_examples import one_of_each
from tests.support.wire_tables import reasons_table, record_tables, zwarn_table

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()

HARNESS = """
import base64
known = load(sys.argv[1])
as_text = lambda value: {"base64": base64.b64encode(value).decode()}
for line in sys.stdin:
    print(json.dumps(decode(base64.b64decode(line), known), default=as_text))
ours = [name for name in sys.modules if name.partition(".")[0] == "spectraq"]
sys.exit(f"imported {ours}" if ours else 0)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def read_by_a_stranger(messages: list[bytes], avro: Path) -> list[dict[str, Any]]:
    """What the example on the page makes of these bytes, in a process of its own."""
    (example,) = blocks("python")
    program = example.partition('if __name__ == "__main__":')[0] + HARNESS
    lines = "\n".join(base64.b64encode(body).decode() for body in messages)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program, str(avro)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def as_read(message: Message) -> dict[str, Any]:
    """The fields of a message as the harness prints them."""
    text = json.dumps(
        message.avro_values(), default=lambda value: {"base64": base64.b64encode(value).decode()}
    )
    values: dict[str, Any] = json.loads(text)
    return values


def test_any_avro_client_reads_every_message_with_nothing_but_the_schemas(tmp_path: Path) -> None:
    avro = Path(shutil.copytree(compatibility.AVRO, tmp_path / "avro"))
    messages = one_of_each()
    read = read_by_a_stranger([codec.encode(message) for message in messages], avro)
    for message, values in zip(messages, read, strict=True):
        assert json.dumps(values) == json.dumps(as_read(message))  # as text: not-a-number equals itself


def test_a_stranger_with_older_schemas_reads_the_fields_it_knows(tmp_path: Path) -> None:
    avro = Path(shutil.copytree(compatibility.AVRO, tmp_path / "avro"))
    letter = next(message for message in one_of_each() if isinstance(message, DeadLetter))
    newer = bytearray(codec.encode(letter)) + b"fields of a later version"
    newer[4] += 1
    (values,) = read_by_a_stranger([bytes(newer)], avro)
    assert values == as_read(letter)


@pytest.mark.parametrize("name", record_tables())
def test_the_page_lists_every_field_with_type_unit_and_meaning(name: str) -> None:
    table = record_tables()[name]
    assert table in PAGE, f"put this into docs/wire.md:\n{table}"


def test_the_page_lists_every_warning_bit_and_every_reason() -> None:
    for table in (zwarn_table(), reasons_table()):
        assert table in PAGE, f"put this into docs/wire.md:\n{table}"


def test_the_page_lists_the_number_of_every_record() -> None:
    assert ", ".join(f"{record} {number}" for record, number in RECORDS.items()) in PAGE


def test_the_json_on_the_page_is_a_spectrum() -> None:
    (example,) = blocks("json")
    assert codec.decode(example.encode(), expect=Spectrum).n_pixels == 3


def test_the_page_says_how_a_result_id_is_made() -> None:
    import uuid

    parts = ["redshift", 'a "quoted" id', "digest", "ensemble", "1.0"]
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:spectraq:result")
    assert result_id(*parts) == str(uuid.uuid5(namespace, json.dumps(parts, separators=(",", ":"))))
    assert 'uuid5(NAMESPACE_URL, "urn:spectraq:result")' in PAGE
