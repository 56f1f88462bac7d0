"""Settings of the archive: where its tables are, and how often they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from spectraq.workers.setting_keys import Section


class ArchiveSettings(Section):
    """The archive that `spectraq sink` writes and `spectraq query` reads."""

    url: str = Field(
        "", description="folder, or address in an object store (s3://, gs://, az://), of its tables"
    )
    storage_file: Path | None = Field(
        None,
        description="TOML file of the object store's options and secrets; none: its standard variables",
    )
    group_id: str = Field("spectraq-archive", description="sinks of one group share the partitions")
    partition_by: Literal["night", "healpix"] = Field(
        "night", description="folders of a new table: nights (UTC), or cells of HEALPix of order 4, nested"
    )
    models: bool = Field(False, description="keep ModelSpectrum, too; 100 times as large as all others")
    commit_rows: int = Field(20_000, ge=1, description="rows in hand that are written at once")
    commit_bytes: int = Field(64 << 20, ge=1 << 16, description="bytes in hand that are written at once")
    commit_s: float = Field(30.0, gt=0, description="no row waits longer than this to be written")
    remembered: int = Field(
        20_000,
        ge=0,
        description="a result that is among so many before it in its partition is not written again",
    )
    compact_s: float = Field(
        3600.0, ge=0, description="small files are made one this often; 0: only by `spectraq sink --compact`"
    )
    file_bytes: int = Field(128 << 20, ge=1 << 20, description="size of the files that they are made to")
