"""The commands of a program, found in its parser, and values that people give by mistake."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["ODD", "VALUE", "drawn", "flags", "leaves", "marks", "run", "settled"]

ODD = [
    *("0", "-1", "1", "2", "1.5", "nan", "inf", "-inf", "1e999", "9" * 30, "9" * 5000, ""),
    *("é", "собака", "\udcff", "null", "[", "a=b", "a.b.c=1", "steps=[", "x" * 300, "\n", ":", ","),
    *("no/such/x", "run", "tiny.yaml", "~nobody/x", "..", ".", "--", "glb", "a,b", "1/2", "0-3"),
]
# What a shell can hand over: no NUL, and bytes that are no UTF-8 come as surrogates.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
VALUE = st.one_of(st.sampled_from(ODD), TEXT)


def leaves(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """("toybox train", its parser), of all commands that have none below them."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        yield " ".join(parser.prog.split()[1:]), parser
    for group in groups:
        for below in group.choices.values():
            yield from leaves(below)


def flags(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """Its options by their longest spelling, --help apart; whether each takes a value."""
    return {
        max(action.option_strings, key=len): action.nargs != 0
        for action in parser._actions
        if action.option_strings and not isinstance(action, argparse._HelpAction)
    }


def run(main, words: list[str], capsys, name: str) -> int:
    """The exit status of `main(words)`: 0, 1 or 2, and for 2 exactly one line says why."""
    try:
        code = main(words)
    except SystemExit as end:  # argparse has said it
        code = end.code
    said = capsys.readouterr().err
    assert code in (0, 1, 2), (words, code)
    told = [line for line in said.splitlines() if line.startswith(f"{name}: error: ")]
    assert "Traceback" not in said and (code != 2 or len(told) == 1), (words, said)
    return code


settled = settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def drawn(data, base: dict[str, list[str]], parsers: dict[str, argparse.ArgumentParser]):
    """A command with one or two of its flags odd, or one of its first words."""
    name = data.draw(st.sampled_from(sorted(base)))
    words = list(base[name])
    own = flags(parsers[name])
    for _ in range(data.draw(st.integers(1, 2))):
        if own and (not words or data.draw(st.integers(0, 3))):
            flag = data.draw(st.sampled_from(sorted(own)))
            words.append(f"{flag}={data.draw(VALUE)}" if own[flag] else flag)
        elif words:
            place = data.draw(st.integers(0, len(words) - 1))
            words[place] = data.draw(VALUE)
    return [*name.split(), *words]


def marks(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file below that is no lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
