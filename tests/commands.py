"""The commands of a program, found in its parser, and values that people give by mistake."""

import argparse
from collections.abc import Iterator

from hypothesis import strategies as st

__all__ = ["ODD", "VALUE", "flags", "leaves", "run"]

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
