"""The loader accepts what it should, with the right types, and each refusal says what to do."""

from dataclasses import FrozenInstanceError, dataclass, field
from typing import Literal, Optional

import pytest

from uni3d.config_io import apply_overrides, dump, load, merge, read_yaml, to_dict
from uni3d.errors import ConfigError
from uni3d.run.settings import RunConfig
from uni3d.scene.regularizers import Ramp


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    lr: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.99)
    name: Literal["adam", "sgd"] = "adam"


@dataclass(frozen=True, kw_only=True)
class Run:
    prompt: str
    steps: int = 100
    fast: bool = False
    levels: tuple[int, ...] = (1, 2)
    cap: float | None = None
    tag: Optional[str] = None  # noqa: UP045 - the old spelling must load too
    size: int | str = "auto"
    optimiser: Optimiser = field(default_factory=Optimiser)
    second: Optimiser | None = None

    def __post_init__(self):
        if self.steps < 0:
            raise ValueError(f"steps: got {self.steps}; wanted 0 or more; do: raise it")


def test_defaults_and_nested_values():
    run = load(Run, {"prompt": "a cow", "optimiser": {"lr": 1}, "levels": [3, 4, 5], "fast": True})
    want = Run(prompt="a cow", fast=True, levels=(3, 4, 5), optimiser=Optimiser(lr=1.0))
    assert run == want
    assert type(run.optimiser.lr) is float and type(run.levels) is tuple
    with pytest.raises(FrozenInstanceError):
        run.steps = 3


def test_what_is_absent_of_a_group_is_as_the_field_has_it_not_its_class():
    @dataclass(frozen=True, kw_only=True)
    class Stage:
        slow: Optimiser = Optimiser(lr=0.5, name="sgd")

    @dataclass(frozen=True, kw_only=True)
    class Both:
        first: Stage = Stage()
        last: Stage = Stage(slow=Optimiser(lr=0.25))

    got = load(Both, {"first": {"slow": {"betas": [0, 1]}}, "last": {"slow": {"name": "sgd"}}})
    assert got.first.slow == Optimiser(lr=0.5, name="sgd", betas=(0.0, 1.0))
    assert got.last.slow == Optimiser(lr=0.25, name="sgd")
    # As it hurts: a ramp moved by --set keeps its weights.
    config = load(RunConfig, apply_overrides({}, ["regularizers.sparsity.end=0.25"]))
    assert config.regularizers.sparsity == Ramp(before=0.0, after=0.01, start=0.0, end=0.25)


@pytest.mark.parametrize(
    ("text", "key", "want"),
    [
        ("optimiser: {lr: 1e-3}", "lr", 1e-3),  # YAML 1.1 reads this one as text
        ("optimiser: {lr: 1.0e-3}", "lr", 1e-3),
        ("optimiser: {betas: [0, 1e-1]}", "betas", (0.0, 0.1)),
    ],
)
def test_yaml_numbers(tmp_path, text, key, want):
    (tmp_path / "run.yaml").write_text("prompt: a cow\n" + text)
    run = load(Run, read_yaml(tmp_path / "run.yaml"))
    assert getattr(run.optimiser, key) == want


def test_optional_values():
    assert load(Run, {"prompt": "x", "cap": 3}).cap == 3.0
    assert load(Run, {"prompt": "x", "cap": None, "tag": "a"}).tag == "a"
    assert load(Run, {"prompt": "x", "size": 3}).size == 3
    assert load(Run, {"prompt": "x", "size": "3"}).size == "3"
    assert load(Run, {"prompt": "x", "second": {"lr": 2}}).second == Optimiser(lr=2.0)


def test_overrides_are_applied_in_order_to_a_copy():
    base = {"prompt": "a cow", "optimiser": {"lr": 1.0}}
    got = apply_overrides(
        base,
        [
            "steps=3",
            "steps=7",
            "optimiser.lr=1e-4",
            "optimiser.betas=[0.5, 0.6]",
            "second.name=sgd",
            "prompt=a = b, c",
            "tag=null",
            "fast=true",
        ],
    )
    assert base == {"prompt": "a cow", "optimiser": {"lr": 1.0}}
    assert load(Run, got) == Run(
        prompt="a = b, c",
        steps=7,
        fast=True,
        second=Optimiser(name="sgd"),
        optimiser=Optimiser(lr=1e-4, betas=(0.5, 0.6)),
    )


def test_merge_goes_group_by_group_and_changes_neither():
    base = {"a": {"x": 1, "y": {"u": 1, "v": 2}}, "b": 3, "c": {"z": 1}}
    more = {"a": {"y": {"v": 5}}, "b": {"w": 1}, "c": 7}
    assert merge(base, more) == {"a": {"x": 1, "y": {"u": 1, "v": 5}}, "b": {"w": 1}, "c": 7}
    assert base == {"a": {"x": 1, "y": {"u": 1, "v": 2}}, "b": 3, "c": {"z": 1}}
    assert more == {"a": {"y": {"v": 5}}, "b": {"w": 1}, "c": 7}


def test_dump_and_load_are_inverse(tmp_path):
    run = Run(
        prompt="une théière: 3",
        cap=1e-7,
        levels=(),
        tag="true",
        size="12",
        second=Optimiser(lr=1e22, name="sgd"),
    )
    assert load(Run, to_dict(run)) == run
    (tmp_path / "run.yaml").write_text(dump(run), encoding="utf-8")
    assert load(Run, read_yaml(tmp_path / "run.yaml")) == run
    assert dump(run).startswith("prompt: 'une théière: 3'\nsteps: 100\n")
    assert to_dict(run)["optimiser"]["betas"] == [0.9, 0.99]


def test_empty_file_is_an_empty_mapping(tmp_path):
    (tmp_path / "run.yaml").write_text("# only a comment\n")
    assert read_yaml(tmp_path / "run.yaml") == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"optimiser": {"learning": 1}},
            "optimiser.learning: got an unknown key; wanted one of optimiser.lr, optimiser.betas, "
            "optimiser.name; do: leave it out",
        ),
        ({"lr": 1}, "do: did you mean optimiser.lr?"),
        ({"stesp": 1}, "stesp: got an unknown key; wanted one of prompt, steps, "),
        ({"stesp": 1}, "do: did you mean steps?"),
        ({1: 1}, "1: got an unknown key; wanted"),
        ({"steps": 1.0}, "steps: got float 1.0; wanted int; do: change the value"),
        ({"steps": True}, "steps: got bool True; wanted int; do: change the value"),
        ({"steps": "1"}, "steps: got str '1'; wanted int; do: change the value"),
        ({"steps": None}, "steps: got null; wanted int; do: change the value"),
        ({"fast": 1}, "fast: got int 1; wanted bool; do: change the value"),
        ({"cap": True}, "cap: got bool True; wanted float; do: change the value"),
        ({"cap": "nan"}, "cap: got str 'nan'; wanted float; do: change the value"),
        ({"prompt": 42}, "prompt: got int 42; wanted str; do: quote it, '42'"),
        ({"levels": [1, "2"]}, "levels[1]: got str '2'; wanted int; do: change the value"),
        ({"levels": 3}, "levels: got int 3; wanted a list of int; do: change the value"),
        (
            {"optimiser": {"betas": [1]}},
            "optimiser.betas: got list [1]; wanted a list [float, float]; do: change the value",
        ),
        (
            {"optimiser": {"name": "adan"}},
            "optimiser.name: got str 'adan'; wanted one of adam, sgd; do: did you mean adam?",
        ),
        ({"size": 1.5}, "size: got float 1.5; wanted int or str; do: change it"),
        (
            {"optimiser": 3},
            "optimiser: got int 3; wanted a group of the keys lr, betas, name; "
            "do: indent the keys below it",
        ),
        ({"second": {"lr": "x"}}, "second.lr: got str 'x'; wanted float; do: change the value"),
        ({"steps": -1}, "Run: steps: got -1; wanted 0 or more; do: raise it"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ConfigError) as error:
        load(Run, {"prompt": "a cow"} | change)
    assert message in str(error.value)


def test_missing_key():
    with pytest.raises(ConfigError, match=r"^prompt: got nothing; wanted str; do: set prompt$"):
        load(Run, {})


def test_unsupported_annotation_is_the_programmers_mistake():
    @dataclass(frozen=True, kw_only=True)
    class Odd:
        table: dict[str, int] = field(default_factory=dict)

    with pytest.raises(TypeError, match=r"table: .* is not a type a configuration may have"):
        load(Odd, {"table": {}})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps", "override: got 'steps'; wanted key=value"),
        ("=3", "override: got '=3'; wanted key=value"),
        ("a..b=3", "override: got 'a..b=3'; wanted key=value"),
        ("prompt.text=3", "prompt.text: got prompt = 'a cow'; wanted a group of keys there"),
        ("levels=[1", "levels: got invalid YAML"),
    ],
)
def test_bad_overrides(override, message):
    with pytest.raises(ConfigError) as error:
        apply_overrides({"prompt": "a cow"}, [override])
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", "c: got this key twice in the mapping at line 2"),
        ("- 1\n- 2\n", "wanted a mapping of keys to values"),
        ("a: [1\n", "got invalid YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "got invalid YAML"),
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_yaml(tmp_path / "run.yaml")
    assert message in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="got no readable file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "old",
    [
        {"teacher": "sd", "loading": {"revision": "abc", "precision": "float16"}},
        {"teacher": {"name": "sd"}, "loading": {"revision": "abc", "precision": "float16"}},
        {"teacher": {"name": "sd", "revision": "abc"}, "loading": {"precision": "float16"}},
    ],
)
def test_keys_of_older_files_are_read(old):
    new = load(RunConfig, {"teacher": {"name": "sd", "revision": "abc", "precision": "float16"}})
    assert load(RunConfig, old) == new
    assert load(RunConfig, {"teacher": "sd"}).teacher.name == "sd"
    assert "loading" not in dump(new)
