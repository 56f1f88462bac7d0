"""One spectrum as the body of a message in every way that is read."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import fastavro
import pyarrow as pa
import snappy
import zstandard

from spectraq.schemas import codec
from spectraq.schemas.registry import newest
from spectraq.schemas.spectrum import Spectrum


def container(records: list[dict[str, Any]], schema: Any = None, packing: str = "null") -> bytes:
    """An Avro container file of one block."""
    ours = newest("Spectrum")
    assert ours is not None
    schema = schema or ours.document
    block = io.BytesIO()
    for record in records:
        fastavro.schemaless_writer(block, schema, record)
    return container_of(block.getvalue(), len(records), schema, packing)


def container_of(block: bytes, count: int, schema: Any, packing: str = "null") -> bytes:
    """An Avro container file with this block."""
    out, sync = io.BytesIO(), bytes(range(16))
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": packing.encode()}
    out.write(b"Obj\x01")
    fastavro.schemaless_writer(out, {"type": "map", "values": "bytes"}, meta)
    out.write(sync)
    packed = PACKINGS[packing](block)
    fastavro.schemaless_writer(out, "long", count)
    fastavro.schemaless_writer(out, "bytes", packed)
    out.write(sync)
    return out.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "null": lambda block: block,
    "deflate": lambda block: zlib.compress(block, wbits=-15),
    "snappy": lambda block: snappy.compress(block) + zlib.crc32(block).to_bytes(4, "big"),
    "zstandard": zstandard.compress,
    "bzip2": bz2.compress,
}


def arrow(columns: dict[str, Any], form: str = "stream", **options: Any) -> bytes:
    """A table of one row in Arrow's IPC format."""
    table = pa.table(
        {name: value if isinstance(value, pa.Array) else [value] for name, value in columns.items()}
    )
    out = io.BytesIO()
    new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return out.getvalue()


def as_columns(spectrum: Spectrum) -> dict[str, Any]:
    return {
        "spectrum_id": spectrum.spectrum_id,
        "flux": spectrum.flux,
        "wavelength": spectrum.vacuum_wavelength(),
    }


def event(**fields: Any) -> bytes:
    """An event of CloudEvents in structured mode."""
    about = {"specversion": "1.0", "type": "org.survey.spectrum", "source": "/telescope", "id": "1"}
    return json.dumps(about | fields).encode()


WAYS: dict[str, Callable[[Spectrum], bytes]] = {
    "framed Avro": codec.encode,
    "JSON": lambda s: json.dumps(s.to_json_dict()).encode(),
    "JSON behind a byte order mark": lambda s: b"\xef\xbb\xbf" + json.dumps(s.to_json_dict()).encode(),
    "JSON behind blank lines": lambda s: b"\r\n \t" + json.dumps(s.to_json_dict()).encode(),
    "gzip of Avro": lambda s: gzip.compress(codec.encode(s)),
    "gzip of JSON": lambda s: gzip.compress(json.dumps(s.to_json_dict()).encode()),
    "zstd of Avro": lambda s: zstandard.compress(codec.encode(s)),
    "container": lambda s: container([s.avro_values()]),
    "container, deflate": lambda s: container([s.avro_values()], packing="deflate"),
    "container, snappy": lambda s: container([s.avro_values()], packing="snappy"),
    "container, zstandard": lambda s: container([s.avro_values()], packing="zstandard"),
    "Arrow stream": lambda s: arrow(as_columns(s)),
    "Arrow file": lambda s: arrow(as_columns(s), "file"),
    "Arrow with bytes": lambda s: arrow(as_columns(s) | {"flux": s.flux.tobytes()}),
    "event with an object": lambda s: event(data=s.to_json_dict()),
    "event with Avro": lambda s: event(data_base64=base64.b64encode(codec.encode(s)).decode()),
    "event with a packed body": lambda s: event(
        data_base64=base64.b64encode(gzip.compress(codec.encode(s))).decode()
    ),
}
