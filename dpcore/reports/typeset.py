"""Tables as texts for papers: LaTeX with booktabs, and Markdown."""

import re

import pandas as pd

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "∞": r"$\infty$",
    "ε": r"$\varepsilon$",
    "δ": r"$\delta$",
    "–": "--",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$])")


def latex(texts: pd.DataFrame, numbers: set[str]) -> str:
    """Returns a table for a document that has `\\usepackage{booktabs}`.

    Args:
        texts: Every cell as it is to be read; the columns are called what stands above them.
        numbers: The columns that are set to the right.
    """
    sides = "".join("r" if name in numbers else "l" for name in texts)
    rows = [_row(map(_latex, cells)) for cells in texts.itertuples(index=False)]
    lines = [
        f"\\begin{{tabular}}{{{sides}}}",
        "\\toprule",
        _row(map(_latex, texts)),
        "\\midrule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def markdown(texts: pd.DataFrame, numbers: set[str]) -> str:
    """Returns a table in Markdown; arguments as of `latex`."""
    ruled = ["--:" if name in numbers else ":--" for name in texts]
    lines = (map(_plain, texts), ruled, *(map(_plain, cells) for cells in texts.itertuples(index=False)))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(cells) -> str:
    return " & ".join(cells) + r" \\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(str(text).split()))


def _plain(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))
