"""Tables for papers: whatever a cell says stays what it is, and a table in LaTeX is one row a row."""

import pandas as pd

from dpcore.language import speaking
from dpcore.reports import typeset
from dpcore.ui.core import columns

TABLE = pd.DataFrame(
    {
        "setting": [r"50% & more_{x}~^\$#", "a | b\n`c` <i> [d](e)"],
        "epsilon": [1.70741, float("inf")],
        "accuracy": [0.78654, None],
        "round": [1, 2],
        "best": [True, False],
    }
)


def test_numbers_of_privacy_are_rounded_on_their_safe_side_and_the_rest_as_on_the_page():
    texts, numbers = columns.texts(TABLE)
    assert texts["epsilon"].tolist() == ["1.708", "∞"]
    assert texts["accuracy"].tolist() == ["78.7%", "–"]
    assert numbers == {"epsilon", "accuracy", "round"}


def test_latex_has_booktabs_and_no_character_that_does_something():
    said = typeset.latex(*columns.texts(TABLE))
    assert said.startswith("\\begin{tabular}{lrrrl}\n\\toprule\n")
    assert said.endswith("\\bottomrule\n\\end{tabular}\n")
    first, second = said.splitlines()[4:6]
    escaped = r"50\% \& more\_\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}\$\#"
    assert first.startswith(f"{escaped} & 1.708 & 78.7\\% ")
    assert second.count(" & ") == 4
    assert r"$\infty$ & --" in second


def test_markdown_has_as_many_cells_in_each_row():
    said = typeset.markdown(*columns.texts(TABLE)).splitlines()
    assert said[1] == "| :-- | --: | --: | --: | :-- |"
    assert said[3] == r"| a \| b \`c\` \<i\> \[d\](e) | ∞ | – | 2 | False |"


def test_headings_are_in_the_readers_language():
    with speaking("ja"):
        texts, _numbers = columns.texts(TABLE)
        assert "精度" in texts
        assert "精度" in typeset.latex(*columns.texts(TABLE))


def test_a_table_without_rows_is_a_table():
    said = typeset.latex(*columns.texts(TABLE.head(0)))
    assert said.count("\\\\") == 1
