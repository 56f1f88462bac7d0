"""A stand-in of a Schema Registry: the part of Confluent's interface that its clients and spectraq use."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

NOT_FOUND = {"subject": 40401, "version": 40402, "schema": 40403}


class StandIn:
    """A registry on a free port of this machine; as a context manager it serves, and ends.

    Attributes
    ----------
    answer
        A status to give in place of every answer, or 0.
    wait_s
        How long each answer takes.
    demands
        What `Authorization` has to be, or None.
    asked
        Method, path and headers of every request.
    """

    def __init__(self, first_number: int = 1, tls: ssl.SSLContext | None = None) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, list[int]] = {}
        self.answer, self.wait_s, self.leads_to = 0, 0.0, ""
        self.demands: str | None = None
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self._next = first_number
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.server_port}/registry"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(
        self, schema: Any, number: int | None = None, kind: str = "AVRO", subject: str = "", **more: Any
    ) -> int:
        """Register a schema; the same one keeps its number."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        entry = {"schema": text, "schemaType": kind, **more}
        with self._lock:
            known = next((n for n, other in self.schemas.items() if _same(other, entry)), None)
            if known is None:
                known = self._next if number is None else number
                self._next = max(self._next, known + 1)
                guid = uuid.UUID(bytes=hashlib.md5(json.dumps(entry).encode()).digest())
                self.schemas[known] = entry | {"guid": str(guid)}
            if subject and known not in self.subjects.setdefault(subject, []):
                self.subjects[subject].append(known)
        return known

    def guid(self, number: int) -> uuid.UUID:
        return uuid.UUID(self.schemas[number]["guid"])

    def respond(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer as the interface says."""
        parts = [unquote(part) for part in urlsplit(path).path.split("/")[2:]]
        match method, parts:
            case "GET", ["schemas", "types"]:
                return 200, ["JSON", "PROTOBUF", "AVRO"]
            case "GET", ["schemas", "ids", number]:
                found = self.schemas.get(int(number))
                return (200, _plain(found)) if found else _missing("schema")
            case "GET", ["schemas", "guids", guid]:
                for entry in self.schemas.values():
                    if entry["guid"] == guid:
                        return 200, _plain(entry)
                return _missing("schema")
            case "GET", ["subjects", subject, "versions", version] if subject in self.subjects:
                numbers = self.subjects[subject]
                place = len(numbers) if version == "latest" else int(version)
                if not 1 <= place <= len(numbers):
                    return _missing("version")
                return 200, self._entry(subject, numbers[place - 1])
            case "POST", ["subjects", subject, "versions"]:
                more = {"references": body["references"]} if body.get("references") else {}
                number = self.add(body["schema"], None, body.get("schemaType") or "AVRO", subject, **more)
                return 200, self._entry(subject, number)
            case "POST", ["subjects", subject]:
                for number in self.subjects.get(subject, []):
                    if json.loads(self.schemas[number]["schema"]) == json.loads(body["schema"]):
                        return 200, self._entry(subject, number)
                return _missing("schema" if subject in self.subjects else "subject")
        return _missing("subject")

    def _entry(self, subject: str, number: int) -> dict[str, Any]:
        version = self.subjects[subject].index(number) + 1
        return {"subject": subject, "id": number, "version": version, **self.schemas[number]}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("schema", "schemaType", "references"))


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what the registry says of a schema by its number: the kind only where it is not Avro."""
    return {name: value for name, value in entry.items() if (name, value) != ("schemaType", "AVRO")}


def _missing(what: str) -> tuple[int, dict[str, Any]]:
    return 404, {"error_code": NOT_FOUND[what], "message": f"{what.capitalize()} not found."}


def _handler(registry: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def _respond(self) -> None:
            registry.asked.append((self.command, self.path, dict(self.headers)))
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            time.sleep(registry.wait_s)
            status, said = registry.answer, {}
            if not status and registry.demands not in (None, self.headers.get("Authorization")):
                status, said = 401, {"error_code": 401, "message": "Unauthorized"}
            if not status:
                status, said = registry.respond(self.command, self.path, body)
            content = json.dumps(said).encode() if status in (200, 401) or said else b""
            self.send_response(status)
            if registry.leads_to:
                self.send_header("Location", registry.leads_to)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    return Handler
