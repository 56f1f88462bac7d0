"""Schemas that would lock a reader out are not released; each way to do so is tried here."""

import copy
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spectraq.schemas import compatibility
from spectraq.schemas.registry import read_schemas

Document = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the schemas in which the first version of each record is released."""
    copied = Path(shutil.copytree(compatibility.AVRO, tmp_path / "avro"))
    files = sorted(copied.glob("*/1.0.avsc"))
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(copied)}\n" for f in files]
    (copied / "RELEASED").write_text("".join(lines))
    return copied


def next_version(folder: Path, record: str, change: Callable[[Document], Any], minor: int = 1) -> list[str]:
    """Write the next minor version with a change, and give the problems that it makes."""
    document = json.loads((folder / record / f"1.{minor - 1}.avsc").read_text())
    document["spectraq.id"] += 1
    document["spectraq.version"] = f"1.{minor}"
    change(document)
    (folder / record / f"1.{minor}.avsc").write_text(json.dumps(document))
    return compatibility.problems(folder)


def field(document: Document, name: str) -> Document:
    found: Document = next(f for f in document["fields"] if f["name"] == name)
    return found


def candidate(document: Document) -> Document:
    found: Document = field(document, "candidates")["type"]["items"]
    return found


NEW: Document = {
    "name": "seeing",
    "type": ["null", "double"],
    "default": None,
    "doc": "Seeing. Unit: arcsec.",
}


def test_the_schemas_of_this_version_have_no_problems() -> None:
    assert compatibility.problems() == []
    assert compatibility.main() == 0


def test_every_released_version_of_every_record_is_listed_and_there() -> None:
    listed = {line.split()[1] for line in (compatibility.AVRO / "RELEASED").read_text().splitlines()}
    assert {f"{schema.record}/1.0.avsc" for schema in read_schemas(compatibility.AVRO)} <= listed


def add(document: Document) -> None:
    document["fields"].append(copy.deepcopy(NEW))


def reword(document: Document) -> None:
    document["doc"] = "Said better."
    field(document, "zerr")["doc"] = "The error of z, said better. Unit: 1."


@pytest.mark.parametrize("change", [add, reword], ids=["a field at the end", "other words"])
def test_what_no_reader_notices_is_allowed(folder: Path, change: Callable[[Document], Any]) -> None:
    assert next_version(folder, "Redshift", change) == []


def set_type(name: str, kind: Any) -> Callable[[Document], Any]:
    return lambda document: field(document, name).update(type=kind)


BREAKS: dict[str, tuple[Callable[[Document], Any], str]] = {
    "remove": (lambda d: d["fields"].remove(field(d, "zerr")), "zerr is gone"),
    "remove the last": (lambda d: d["fields"].pop(), "candidates is gone"),
    "remove an optional one": (lambda d: d["fields"].remove(field(d, "survey")), "survey is gone"),
    "rename": (lambda d: field(d, "zerr").update(name="z_err"), "zerr is gone"),
    "rename with an alias": (
        lambda d: field(d, "zerr").update(name="z_err", aliases=["zerr"]),
        "zerr is gone",
    ),
    "insert": (lambda d: d["fields"].insert(3, copy.deepcopy(NEW)), "seeing is new, and not at the end"),
    "reorder": (lambda d: d["fields"].reverse(), "the fields of the record changed their order"),
    "add without default": (
        lambda d: d["fields"].append({"name": "seeing", "type": "double", "doc": "Seeing. Unit: arcsec."}),
        "seeing has no default",
    ),
    "narrow": (set_type("z", "float"), "z changed its type from double to float"),
    "widen": (set_type("npixels", "long"), "npixels changed its type from int to long"),
    "make optional": (set_type("z", ["null", "double"]), "z changed its type from double to null or double"),
    "make required": (
        lambda d: field(d, "survey").update(type="string", default=""),
        "survey changed its type from null or string to string",
    ),
    "swap a union": (set_type("survey", ["string", "null"]), "survey changed its type from null or string"),
    "change the items": (
        set_type("coeff", {"type": "array", "items": "float"}),
        "coeff changed its type from double to float",
    ),
    "array to map": (
        set_type("coeff", {"type": "map", "values": "double"}),
        "coeff changed its type from array to map",
    ),
    "grow a nested record": (
        lambda d: candidate(d)["fields"].append(copy.deepcopy(NEW)),
        "candidates.seeing is new, and not at the end of the message's own record",
    ),
    "shrink a nested record": (lambda d: candidate(d)["fields"].pop(), "candidates.probability is gone"),
    "change in a nested record": (
        lambda d: candidate(d)["fields"][2].update(type="float"),
        "candidates.z changed its type from double to float",
    ),
    "rename a nested record": (
        lambda d: candidate(d).update(name="Minimum"),
        "candidates changed its type from record Candidate to record Minimum",
    ),
    "change a unit": (
        lambda d: field(d, "ra").update(doc="Right ascension. Unit: h."),
        "ra changed its unit from deg to h",
    ),
}


@pytest.mark.parametrize(("change", "problem"), BREAKS.values(), ids=BREAKS)
def test_what_locks_a_reader_out_is_named(
    folder: Path, change: Callable[[Document], Any], problem: str
) -> None:
    found = next_version(folder, "Redshift", change)
    assert any(problem in line for line in found), found
    assert all(line.startswith("Redshift 1.1, compared with 1.0: ") for line in found)


def test_a_new_version_is_compared_with_every_released_one_of_its_major(folder: Path) -> None:
    assert next_version(folder, "Redshift", add) == []
    found = next_version(folder, "Redshift", lambda d: field(d, "z").update(type="float"), minor=2)
    problem = "z changed its type from double to float"
    assert found == [f"Redshift 1.2, compared with 1.0: {problem}"]  # 1.1 was never released
    released = folder / "RELEASED"
    digest = hashlib.sha256((folder / "Redshift/1.1.avsc").read_bytes()).hexdigest()
    released.write_text(released.read_text() + f"{digest}  Redshift/1.1.avsc\n")
    assert compatibility.problems(folder) == [
        f"Redshift 1.2, compared with 1.0: {problem}",
        f"Redshift 1.2, compared with 1.1: {problem}",
    ]


def test_a_new_major_version_may_change_anything(folder: Path) -> None:
    document = json.loads((folder / "Redshift/1.0.avsc").read_text())
    document |= {"spectraq.id": 30200, "spectraq.version": "2.0", "fields": [NEW]}
    (folder / "Redshift/2.0.avsc").write_text(json.dumps(document))
    assert compatibility.problems(folder) == []


def test_a_released_file_is_neither_edited_nor_removed(folder: Path) -> None:
    file = folder / "Anomaly/1.0.avsc"
    file.write_text(file.read_text().replace("odd", "strange"))
    (folder / "Redshift/1.0.avsc").unlink()
    assert compatibility.problems(folder) == [
        "Anomaly/1.0.avsc was released and then edited: put it back, and make a new version of it",
        "Redshift/1.0.avsc was released and is gone: put it back",
    ]


LABELS: dict[str, tuple[Callable[[Document], Any], str]] = {
    "id": (lambda d: d.update({"spectraq.id": 30100}), "spectraq.id is 30100 and must be 30101"),
    "version": (
        lambda d: d.update({"spectraq.version": "1.0"}),
        "spectraq.version is '1.0' and must be '1.1'",
    ),
    "name": (lambda d: d.update(name="RedShift"), "name is 'RedShift' and must be 'Redshift'"),
    "no unit": (lambda d: field(d, "z").update(doc="Redshift."), "the doc of z must end with its unit"),
    "no doc": (lambda d: field(d, "z").pop("doc"), "the doc of z must end with its unit"),
    "nested": (
        lambda d: candidate(d)["fields"][2].pop("doc"),
        "the doc of candidates.z must end with its unit",
    ),
}


@pytest.mark.parametrize(("change", "problem"), LABELS.values(), ids=LABELS)
def test_a_schema_says_who_it_is_and_what_its_fields_mean(
    folder: Path, change: Callable[[Document], Any], problem: str
) -> None:
    assert any(problem in line for line in next_version(folder, "Redshift", change))


@pytest.mark.parametrize("text", ["{", '{"type": "record"}', '{"type": "recrod", "name": "Redshift"}'])
def test_a_file_that_is_no_schema_is_named(folder: Path, text: str) -> None:
    (folder / "Redshift/1.1.avsc").write_text(text)
    (problem,) = compatibility.problems(folder)
    assert problem.startswith("Redshift/1.1.avsc is no schema: ")


def test_a_record_without_a_number_of_its_own_is_named(folder: Path) -> None:
    shutil.copytree(folder / "Redshift", folder / "Transient")
    assert compatibility.problems(folder) == [
        "Transient 1.0: the record has no number; give it one in schemas/registry.py"
    ]
