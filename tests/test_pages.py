"""What the pages and the docstrings name is there: files, modules, settings, commands with their options."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from spectraq.workers.cli import app
from spectraq.workers.setting_keys import keys_of
from spectraq.workers.settings import Settings
from spectraq.workers.topic_settings import Topics

ROOT = Path(__file__).parent.parent
PARTS = ("models", "schemas", "workers")
FOLDERS = (*PARTS, "spectraq", "tests", "benchmarks", "deploy", "docs", ".ci", ".github")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"))
]
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for part in (*PARTS, "spectraq", "benchmarks", "docs/site")
    for path in (ROOT / part).rglob("*.py")
]

SUFFIXES = "py|js|css|html|md|json|toml|yml|yaml|txt|avsc|acl|svg|png"
A_FILE = re.compile(rf"[\w-]+(?:/[\w.-]+)*\.(?:{SUFFIXES})|(?:[\w-]+/)+")
A_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")

OF_THE_USER = {"spectraq.toml", "spectraq.filtered", "spectra/", "normal/", "night/"}
OF_THE_DATA = {"templates/", "populations/gasnet3/", "sky/desispec/", "sky/4most/", "transients/"}
OF_THE_SITE = {"index.md", "schemas.md"}
OF_SEVERAL = {"classifier-N.json", "Record/major.minor.avsc"}
OF_KAFKA = {"min.insync.replicas", "broker.session.timeout.ms"}
OF_A_SCHEMA = {"spectraq.id"}
OF_THE_IVOA = {"Data.SpectralAxis.Value", "em.wl", "phot.flux.density"}
TOPICS = {field.default for field in Topics.model_fields.values() if isinstance(field.default, str)}


def inline(text: str) -> list[str]:
    """What stands in single backticks."""
    return re.findall(
        r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )


def blocks(text: str) -> Iterator[str]:
    """The lines of code of a page, fenced or indented."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    yield from re.findall(r"^    (.+)$", text, re.MULTILINE)


@cache
def nodes(path: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse((ROOT / path).read_text())))


def named_in_docstrings(path: str) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) or "" for node in nodes(path) if isinstance(node, documented)]
    return [name for text in texts for name in inline(text)]


@cache
def files() -> frozenset[str]:
    """The files of the project, and its folders with a slash behind them, each with a slash before it."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths += [path for path in ROOT.iterdir() if path.is_file() or path.name in FOLDERS]
    names = {path: f"/{path.relative_to(ROOT).as_posix()}" for path in paths}
    return frozenset(names.values()) | {f"{name}/" for path, name in names.items() if path.is_dir()}


def lost_files(names: Iterable[str]) -> list[str]:
    """Names that no path of the project ends with."""
    named = {name for name in names if A_FILE.fullmatch(name)}
    named -= OF_THE_USER | OF_THE_DATA | OF_THE_SITE | OF_SEVERAL
    return sorted(name for name in named if not any(file.endswith(f"/{name}") for file in files()))


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    assert lost_files(inline((ROOT / page).read_text())) == []


def test_every_file_that_a_docstring_names_is_there() -> None:
    assert {path: lost for path in SOURCES if (lost := lost_files(named_in_docstrings(path)))} == {}


@cache
def words_of_the_code() -> frozenset[str]:
    """Everything that the code calls by a name: modules, classes, functions, variables, attributes."""
    words = {part.removesuffix(".py") for path in SOURCES for part in Path(path).parts}
    for path in SOURCES:
        for node in nodes(path):
            words |= {
                str(getattr(node, kind)) for kind in ("name", "id", "attr", "arg") if hasattr(node, kind)
            }
    return frozenset(words)


@cache
def values_of_the_chart() -> frozenset[str]:
    """Dotted names of all that the Helm chart's values may say."""
    values = yaml.safe_load((ROOT / "deploy/helm/spectraq/values.yaml").read_text())

    def names(tree: Any, prefix: str) -> Iterator[str]:
        for key, value in tree.items():
            yield prefix + key
            if isinstance(value, dict):
                yield from names(value, f"{prefix}{key}.")

    return frozenset(names(values, ""))


def lost_names(names: Iterable[str]) -> list[str]:
    """Dotted names of which a word is nowhere in the code."""
    dotted = {name for name in names if A_DOTTED_NAME.fullmatch(name) and not A_FILE.fullmatch(name)}
    dotted -= TOPICS | OF_KAFKA | OF_A_SCHEMA | OF_THE_IVOA | values_of_the_chart()
    return sorted(name for name in dotted if not words_of_the_code().issuperset(name.split(".")))


@pytest.mark.parametrize("page", PAGES)
def test_every_dotted_name_of_a_page_is_in_the_code(page: str) -> None:
    assert lost_names(inline((ROOT / page).read_text())) == []


def test_every_dotted_name_of_a_docstring_is_in_the_code() -> None:
    assert {path: lost for path in SOURCES if (lost := lost_names(named_in_docstrings(path)))} == {}


def is_ours(name: str) -> bool:
    """Whether a dotted name is a module of ours, or what is in one."""
    words = name.split(".")
    for split in range(len(words), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(words[:split]))
        except ModuleNotFoundError:
            continue
        for word in words[split:]:
            thing = getattr(thing, word, None)
        return thing is not None
    return False


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    code = "\n".join((*inline(text), *blocks(text)))
    named = set(re.findall(r"(?<![\w./:-])spectraq(?:\.[a-zA-Z_]\w*)+(?![\w./-])", code))
    named -= TOPICS | OF_THE_USER | OF_A_SCHEMA
    for module, imported in re.findall(r"from (spectraq[\w.]*) import ([\w, ]+)", code):
        named |= {f"{module}.{name.strip()}" for name in imported.split(",")}
    assert sorted(name for name in named if not is_ours(name)) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_is_one(page: str) -> None:
    text = (ROOT / page).read_text()
    sections: dict[str, Any] = {name: field.annotation for name, field in Settings.model_fields.items()}
    keys = {(section, key) for section, kind in sections.items() for key in kind.model_fields}
    keys |= {(section, "__".join(key)) for (section, *key), _ in keys_of(Settings)}
    keys |= {(section, f"{key}_file") for section, key in keys}  # where a secret is read from
    named = re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)`", text)
    named += re.findall(r"SPECTRAQ_([A-Z]+)__([A-Z_]*[A-Z])", text)
    lost = {(section.lower(), key.lower()) for section, key in named} - keys
    assert sorted(pair for pair in lost if ".".join(pair) not in values_of_the_chart()) == []


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words behind a program's name, wherever a page has a command line with it."""
    for line in (*inline(text), *blocks(text)):
        for command in re.split(r"&&|\||;|(?: --)? sh -c '| -- (?=\w)", line.partition(" # ")[0]):
            words = command.strip(" '\"")
            if match := re.match(rf"(?:\w+=\S+ )*(?:\.venv/bin/)?{program} (.+)$", words):
                yield shlex.split(match[1].replace("'", "").replace('"', ""))


def options_of(words: list[str]) -> set[str]:
    """What a command line gives, short options left out."""
    return {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_shows_is_one_and_has_its_options(page: str) -> None:
    wrong = []
    for words in commands((ROOT / page).read_text(), "spectraq"):
        command: Any = typer.main.get_command(app)
        name = "spectraq"
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            name, *words = words
            command = command.commands.get(name)
        if command is None:
            wrong.append(name)
            continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        wrong += [f"{name} {option}" for option in options_of(words) - known - {"--help"}]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_every_benchmark_and_goal_of_make_that_a_page_shows_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    goals = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wrong = [words[0] for words in commands(text, "make") if words[0] not in goals]
    for script, *words in commands(text, "python"):
        if f"/{script}" in files():
            source = (ROOT / script).read_text()
            wrong += [f"{script} {option}" for option in options_of(words) if f'"{option}"' not in source]
        elif "/" in script:
            wrong.append(script)
    assert wrong == []
