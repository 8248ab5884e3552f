"""Nothing but `dpcore.rounding` rounds a number of privacy: looked for in the program's text, wherever it may be shown.

Every rounding is found, and each has to be of something that is named here, with the reason why its direction is no
matter.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "dpcore").rglob("*.py"))]

_SPEC = r"[<>=^]?[+ -]?\d*,?(?:\.\d+[gGfFeE%]?|[gGfFeEn%])"  # formats that leave digits out
PLACE = re.compile(rf"\{{([\w.]+)(?:![rsa])?:{_SPEC}\}}")  # of str.format, and of plotly's templates
PRINTF = re.compile(r"%[+ -]?\d*(?:\.\d+[gfe]|f)")  # of Streamlit's columns and boxes
CALLS = {"round", "around", "quantize", "format_float_positional", "format_float_scientific"}

# Words that make a number one of privacy, whatever else is said of it.
PRIVATE = (
    "epsilon|delta|noise|budget|target|advantage|posterior|prior|positive|rate|risk|attack|accused|prob|ratio|popul"
)
# Words of numbers whose direction is no matter.
HARMLESS = {
    "accuracy and loss: diagnostics, outside every guarantee": "accuracy|loss|lost|base|band|mean|points|metric",
    "times": "seconds|minutes|pace",
    "sizes of files and data": "size|bytes|freed|bin|share|skew|median|count",
    "how much is done": "fraction|done|total",
}
# What is neither, by its file: why.
EXCEPTIONS = {
    "charts/lesson/correlated.py": {"y": "what was drawn of some noise, and its size, in a picture"},
    "charts/lesson/game.py": {"y": "what was drawn in a game, not what is claimed"},
    "charts/lesson/pictures.py": {"z": "a weight of a picture"},
    "charts/axes.py": {"_step((high - low) / 4)": "where an axis is ticked"},
    "charts/fairness.py": {"low": "accuracy", "high": "accuracy"},
    "charts/lines.py": {"value": "accuracy, loss, or an estimate"},
    "charts/studies.py": dict.fromkeys(("y", "low", "high"), "accuracy"),
    "cli/runs.py": {"found.worst_decile": "accuracy", "value": "accuracy, or a share of users"},
    "cli/study.py": {"value": "accuracy, band or difference"},
    "cli/tools.py": {"check.measured": "a check of the engines", "check.limit": "a check of the engines"},
    "datasets/importing/spelling.py": {"number": "an id, in all digits that a float has"},
    "datasets/summary.py": {"np.linspace(0, len(able) - 1, users).round()": "which users are shown"},
    "hosting.py": {"least": "gigabytes", "found": "gigabytes"},
    "limits.py": {
        "self.minimum": "all 15 digits of an end that is written in the program",
        "self.maximum": "all 15 digits of an end that is written in the program",
    },
    "messages/older.py": dict.fromkeys(
        ("best", "last", "found", "least", "most"), "as an older version has said it"
    ),
    "privacy/accounting.py": {"bound": "what the library can answer"},
    "privacy/auditing/attacks.py": dict.fromkeys(
        ("round(inside * number)", "round(outside * number)", "round(_ROUND_GUESSED * number)"),
        "how many guesses are made, fixed before anything is seen",
    ),
    "privacy/calibration.py": {
        "round(clients * ratio, 12)": "the noise itself, by which all that follows is accounted",
        "most": "the largest noise there may be, a power of ten",
        "round(math.log10(least))": "a power of ten",
    },
    "privacy/assumptions/rehearsal.py": {"noise": "the noise itself, by which all that follows is accounted"},
    "reports/study.py": {"value": "accuracy, band or difference"},
    "rounds.py": {"last": "loss", "best": "loss"},
    "runs/studies/findings.py": dict.fromkeys(
        ("difference", "low", "high", "round(100 * study.tolerance, 10)"), "accuracy"
    ),
    "runs/studies/forecast.py": {
        "plan.path_noise_after(rounds or plan.rounds) / plan.clients_per_round": "what runs are grouped by; never shown"
    },
    "runs/access/visiting.py": {"found": "minutes"},
    "ui/core/columns.py": dict.fromkeys(
        ("%.3f", "%.3g", "%+.3f", "%.1f", "%.2f", "value"), "no column of privacy: those are rounded before"
    ),
    "ui/accountant/onward.py": dict.fromkeys(("low", "high"), "accuracy"),
    "ui/study/steps.py": {"round(100 * now.study.tolerance, 10)": "accuracy"},
    "ui/core/controls.py": {"round(low + i * setting.step, 10)": "where a slider can stop"},
    "ui/data/look.py": {"least": "share of a class", "most": "share of a class"},
    "ui/study/frontier.py": {
        "low": "accuracy",
        "high": "accuracy",
        "np.geomspace(min(10, wanted.population), wanted.population, 30).round()": "whole clients, to be asked of",
    },
    "ui/lesson/claims.py": dict.fromkeys(
        ("moved", "clip_moved", "clip_noise"), "how large something is, in a lesson"
    ),
    "ui/lesson/clipping.py": dict.fromkeys(("start", "end"), "clip norms of a picture"),
    "ui/lesson/game.py": {"evidence": "what was drawn in a game, not what is claimed"},
    "ui/train/fairness.py": {"worst": "accuracy", "one.worst_decile": "accuracy"},
    "ui/train/live.py": {
        **dict.fromkeys(("first", "last", "begin", "end"), "a metric of a run, and the numbers of rounds"),
        "clipped": "what a noisy count said",
        "last.signal_to_noise": "an estimate",
    },
    "ui/train/run_list.py": {"%.1f": "accuracy"},
    "ui/core/tables.py": dict.fromkeys(
        (
            "np.geomspace(min(10, top), top, _MAP_POINTS).round()",
            "np.linspace(0, 2 * now, 2 * min(now, _POINTS // 2) + 1).round()",
            "np.geomspace(1, plan.population, _POINTS).round()",
        ),
        "whole numbers, to be asked of",
    ),
}


def roundings(tree: ast.AST) -> Iterator[str]:
    """Yields what is rounded in a module, in the words of its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from PLACE.findall(node.value)
            yield from PRINTF.findall(node.value)
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            if re.fullmatch(_SPEC, ast.unparse(node.format_spec)[2:-1]):
                yield ast.unparse(node.value)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS or (name == "format" and isinstance(node.func, ast.Name)):
                yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg and node.arg.endswith("hoverformat"):
            yield node.arg


def harmless(text: str) -> bool:
    words = set(re.findall("[a-z]+", text.lower()))
    private = any(re.match(PRIVATE, word) for word in words)
    return not private and any(words & set(some.split("|")) for some in HARMLESS.values())


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)).removeprefix("dpcore/")


def test_every_rounding_is_by_the_module_or_has_a_reason():
    found = {
        name_of(path): {text for text in roundings(ast.parse(path.read_text())) if not harmless(text)}
        for path in FILES
        if name_of(path) != "rounding.py"
    }
    unexplained = {name: texts - set(EXCEPTIONS.get(name, {})) for name, texts in found.items()}
    assert {name: texts for name, texts in unexplained.items() if texts} == {}, "write it by dpcore.rounding"


@pytest.mark.parametrize(
    "program",
    [
        'f"{epsilon:.3f}"',
        'f"{run.epsilon:g}"',
        '_("noise {noise:g}")',
        '_("delta {delta:.2e}")',
        '"{rate:.0%}".format(rate=rate)',
        'hovertemplate="epsilon %{y:.3f}"',
        'hovertemplate="%{customdata[0]}: %{customdata:.3f}"',
        "round(delta * population, 3)",
        "np.round(epsilons, 3)",
        "table.round(3)",
        'format(epsilon, ".3f")',
        '"%.3f" % epsilon',
        'st.column_config.NumberColumn(format="%.12g")',
        'axis.update(hoverformat=".3f")',
        'f"{size_of_noise_multiplier:.3f}"',
        'f"{budget.epsilon_left / 60:,.1f}"',
    ],
)
def test_a_rounding_is_found(program):
    assert [text for text in roundings(ast.parse(program)) if not harmless(text)]


@pytest.mark.parametrize(
    "program",
    [
        'f"{rounds:,} rounds"',
        'f"{delta!r}"',
        'axis.update(tickformat=".0%")',
        'f"{run.accuracy:.1%}"',
        '"a { color: #fff; width: 50% }"',
        'st.number_input(format="%g")',
    ],
)
def test_what_leaves_no_digit_out_is_none(program):
    assert not [text for text in roundings(ast.parse(program)) if not harmless(text)]
