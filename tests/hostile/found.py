"""Where the code reads what comes from outside, found in its source: so that nothing new is left out of the table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

READS = frozenset(
    (
        *("parse_json", "read_json", "parse_toml", "read_text", "read_bytes", "open_plain"),
        *("json.load", "json.loads", "tomllib.load", "tomllib.loads", "tomlkit.parse", "raw_decode"),
        *("safe_open", "load_file", "load_tensors", "Image.open", "open_header", "csv.DictReader", "csv.reader"),
        *("tarfile.open", "gzip.open", "sqlite3.connect", "InferenceSession", "from_pretrained", "from_single_file"),
        *("Tokenizer.from_file", "np.load", "numpy.load", "torch.load", "pickle.load", "pickle.loads", "yaml.load"),
        *("ParserCreate", "decompressobj"),
    )
)
"""Calls that take in a file, or text that another wrote."""

ASKS = frozenset(
    (
        *(
            "HTTPConnection",
            "HTTPSConnection",
            "Plain",
            "Encrypted",
            "urlopen",
            "create_connection",
            "create_engine",
            "pymysql.connect",
        ),
        *("snapshot_download", "hf_hub_download", "socket.socket", "wrap_socket"),
    )
)
"""Calls after which a server answers."""

PATTERNS = frozenset(
    f"re.{name}" for name in ("compile", "match", "fullmatch", "search", "findall", "finditer", "split", "sub")
)
"""Calls that take text apart."""


def modules_with(calls: frozenset[str]) -> set[str]:
    """The modules of the product, dotted, in which one of these is named."""
    return {module for module, called in _called().items() if called & calls}


def functions_with(calls: frozenset[str]) -> dict[str, set[str]]:
    """The functions in which one of these is named, by module; what stands outside of functions is ``-``."""
    found: dict[str, set[str]] = {}
    for module, tree in _trees().items():
        inside = {name for name, node in _functions(tree) if calls & frozenset(_calls(node))}
        outside = ast.Module(
            [each for each in tree.body if not isinstance(each, DEFINED | ast.Import | ast.ImportFrom)], []
        )
        if calls & frozenset(_calls(outside)):
            inside.add("-")
        if inside:
            found[module] = inside
    return found


DEFINED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The functions of a module and the methods of its classes, with their names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{within}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{within}{node.name}", node


@lru_cache(maxsize=1)
def _trees() -> dict[str, ast.Module]:
    found = {}
    for top in ("engine", "tui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[module] = ast.parse(path.read_text("utf-8"))
    return found


@lru_cache(maxsize=1)
def _called() -> dict[str, frozenset[str]]:
    return {module: frozenset(_calls(tree)) for module, tree in _trees().items()}


def _calls(tree: ast.AST) -> Iterator[str]:
    """All that is called or handed on, with and without what it belongs to: ``loads`` and ``json.loads``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
            if isinstance(of := node.value, ast.Name | ast.Attribute):
                yield f"{of.id if isinstance(of, ast.Name) else of.attr}.{node.attr}"


def names_of_tests(file: str) -> set[str]:
    """The tests in a file of ``tests``."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}
