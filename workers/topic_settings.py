"""Settings of the topics: their names, and how missing ones are made."""

from __future__ import annotations

from pydantic import Field

from spectraq.workers.setting_keys import Section


class Topics(Section):
    """Names of the topics, and how missing ones are created."""

    spectra: str = Field("spectraq.spectra", description="spectra come in here")
    priority: str = Field(
        "", description="urgent spectra come in here and go first; empty: there is no such lane"
    )
    classifications: str = Field("spectraq.classifications", description="one Classification a spectrum")
    redshifts: str = Field("spectraq.redshifts", description="one Redshift a spectrum")
    anomalies: str = Field("spectraq.anomalies", description="one Anomaly a spectrum, flagged or not")
    models: str = Field("spectraq.models", description="one ModelSpectrum a spectrum, when asked for")
    measurements: str = Field(
        "spectraq.measurements", description="one Measurement a spectrum, unless turned off"
    )
    changes: str = Field(
        "spectraq.changes", description="one Change a spectrum that has an earlier one, when asked for"
    )
    objects: str = Field(
        "spectraq.objects", description="earlier spectra of objects, compacted; written with changes"
    )
    dead_letters: str = Field("spectraq.dead-letters", description="what could not be analysed, and why")
    verdicts: str = Field("spectraq.verdicts", description="what people say of results, on the page")
    partitions: int = Field(4, ge=1, description="partitions of a topic that spectraq creates")
    replication: int = Field(1, ge=1, description="replicas of a topic that spectraq creates")

    @classmethod
    def kinds(cls) -> list[str]:
        """Return the names of the settings that each name a topic every stream has."""
        return [
            kind
            for kind, setting in cls.model_fields.items()
            if setting.default and setting.annotation is str
        ]

    @property
    def of_spectra(self) -> list[str]:
        """Names of the topics that spectra come in on."""
        return [name for name in (self.spectra, self.priority) if name]
