"""What every section of the settings is, and how to walk over the tree of them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """Settings that belong together; one that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def keys_of(
    tree: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield the place of every setting in a tree of sections, and what is said of it there."""
    for name, field in tree.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, (*above, name))
        else:
            yield (*above, name), field
