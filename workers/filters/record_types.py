"""Types of CEL made of the schemas of results, and the values of a result as one of them.

CEL knows protocol buffers, so each Avro record becomes a message of the same fields. A value that may be
missing is a wrapper: read where there is none it gives null, and `has()` is false. Every value of a result
itself may be missing, as the whole result may be; those of the entries of its lists only where the schema
says so. Arrays of pixels are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

from spectraq.schemas.registry import newest

PACKAGE = "spectraq"
FILE = "spectraq/results.proto"
Field = descriptor_pb2.FieldDescriptorProto

SCALARS = {
    "string": (Field.TYPE_STRING, "StringValue"),
    "double": (Field.TYPE_DOUBLE, "DoubleValue"),
    "float": (Field.TYPE_DOUBLE, "DoubleValue"),
    "int": (Field.TYPE_INT64, "Int64Value"),
    "long": (Field.TYPE_INT64, "Int64Value"),
    "boolean": (Field.TYPE_BOOL, "BoolValue"),
}

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class RecordType:
    """One record as a message.

    Attributes
    ----------
    name
        Full name of the message.
    label
        What people call it: "anomaly", "anomaly.reasons".
    fields
        Its fields, by name: how a value becomes what the message takes.
    """

    name: str
    label: str
    fields: Mapping[str, Convert]

    def values(self, record: Mapping[str, Any], wanted: frozenset[str] | None = None) -> dict[str, Any]:
        """Return a record's values as the message takes them, all or those of some fields."""
        return {
            name: convert(record[name])
            for name, convert in self.fields.items()
            if (wanted is None or name in wanted) and record.get(name) is not None
        }


class RecordTypes:
    """The types of some records.

    Parameters
    ----------
    records
        Name of the Avro record of each variable, by the variable's name.

    Attributes
    ----------
    pool
        Where the messages are described.
    types
        Every message, those of lists' entries too, by its full name.
    """

    def __init__(self, records: Mapping[str, str]) -> None:
        self.types: dict[str, RecordType] = {}
        self._file = descriptor_pb2.FileDescriptorProto(
            name=FILE, package=PACKAGE, syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
        )
        self._tops: dict[str, RecordType] = {}
        for variable, record in records.items():
            schema = newest(record)
            assert schema is not None
            self._named: dict[str, Any] = {}
            self._tops[variable] = self._message(schema.document, record, variable, may_miss=True)
        self.pool = descriptor_pool.DescriptorPool()
        self.pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
        self.pool.AddSerializedFile(self._file.SerializeToString())
        self._classes = {
            variable: message_factory.GetMessageClass(self.pool.FindMessageTypeByName(top.name))
            for variable, top in self._tops.items()
        }

    @property
    def variables(self) -> Mapping[str, RecordType]:
        """The type of each variable."""
        return self._tops

    def message(
        self, variable: str, record: Mapping[str, Any] | None, wanted: frozenset[str] | None = None
    ) -> Any:
        """Return the value of a variable.

        Parameters
        ----------
        variable
            Its name.
        record
            The record's values, as an Avro writer wants them; None: it is missing.
        wanted
            The fields that are asked for; None: all.
        """
        kind = self._classes[variable]
        return kind() if record is None else kind(**self._tops[variable].values(record, wanted))

    def _message(self, document: Any, name: str, label: str, may_miss: bool) -> RecordType:
        """Describe a record, and those in it; returns how to make it."""
        self._named[document["name"]] = document
        message = self._file.message_type.add(name=name)
        fields: dict[str, Convert] = {}
        for number, field in enumerate(document["fields"], start=1):
            described = message.field.add(name=field["name"], number=number, label=Field.LABEL_OPTIONAL)
            convert = self._field(message, described, field["type"], label, may_miss)
            if convert is None:
                message.field.pop()
            else:
                fields[field["name"]] = convert
        made = RecordType(f"{PACKAGE}.{name}", label, fields)
        self.types[made.name] = made
        return made

    def _field(self, message: Any, field: Any, kind: Any, label: str, may_miss: bool) -> Convert | None:
        """Describe a field; None where its type is none that an expression could use."""
        kind = self._resolved(kind)
        if isinstance(kind, list):
            kinds = [self._resolved(one) for one in kind if one != "null"]
            return self._field(message, field, kinds[0], label, True) if len(kinds) == 1 else None
        plain = _plain(kind)
        if plain in SCALARS:
            return _scalar(field, plain, may_miss)
        name, label = f"{message.name}_{field.name}", f"{label}.{field.name}"
        if plain == "record":
            field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{name}"
            inner = self._message(kind, name, label, may_miss)
            return inner.values
        if plain == "array":
            return self._array(message, field, self._resolved(kind["items"]), label)
        if plain == "map" and _plain(self._resolved(kind["values"])) in SCALARS:
            return _map(message, field, _plain(self._resolved(kind["values"])))
        return None

    def _array(self, message: Any, field: Any, items: Any, label: str) -> Convert | None:
        plain = _plain(items)
        if plain == "record":
            field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{message.name}_{field.name}"
            inner = self._message(items, f"{message.name}_{field.name}", label, may_miss=False)
            field.label = Field.LABEL_REPEATED
            return lambda entries: [inner.values(entry) for entry in entries]
        if plain not in SCALARS:
            return None
        field.type, field.label = SCALARS[plain][0], Field.LABEL_REPEATED
        return _same

    def _resolved(self, kind: Any) -> Any:
        return self._named.get(kind, kind) if isinstance(kind, str) else kind


def _plain(kind: Any) -> str:
    """Return the name of a type: an enumeration is a string."""
    name = kind["type"] if isinstance(kind, dict) else kind
    if isinstance(name, dict):
        return _plain(name)
    return "string" if name == "enum" else str(name)


def _scalar(field: Any, plain: str, may_miss: bool) -> Convert:
    kind, wrapper = SCALARS[plain]
    if not may_miss:
        field.type = kind
        return _same
    field.type, field.type_name = Field.TYPE_MESSAGE, f".google.protobuf.{wrapper}"
    return _wrapped


def _map(message: Any, field: Any, plain: str) -> Convert:
    name = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=SCALARS[plain][0], label=Field.LABEL_OPTIONAL)
    field.type, field.label = Field.TYPE_MESSAGE, Field.LABEL_REPEATED
    field.type_name = f".{PACKAGE}.{message.name}.{name}"
    return _same


def _same(value: Any) -> Any:
    return value


def _wrapped(value: Any) -> dict[str, Any]:
    return {"value": value}
