"""What a paper takes: figures as PDF, tables as LaTeX, Markdown, CSV and Parquet, and a notebook, in one folder."""

from pathlib import Path

from dpcore.cli.options import out
from dpcore.errors import StoreError
from dpcore.reports import printing, typeset
from dpcore.reports.figures import Figures
from dpcore.ui.core import columns

NOTEBOOK = "train_on_tff.ipynb"


def write(figures: Figures, notebook: str, folder: Path, *, width: str) -> None:
    """Writes figures, their tables and a notebook (none, if it is empty).

    Raises:
        StoreError: If there is no Chromium, or the folder cannot be written to.
    """
    printing.chromium()  # before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (_figure, table) in figures.items():
            texts = columns.texts(table)
            (folder / f"{name}.tex").write_text(typeset.latex(*texts))
            (folder / f"{name}.md").write_text(typeset.markdown(*texts))
            (folder / f"{name}.csv").write_text(table.to_csv(index=False))
            table.to_parquet(folder / f"{name}.parquet", index=False)
        if notebook:
            (folder / NOTEBOOK).write_text(notebook)
    except OSError as err:
        raise StoreError(f"Expected to write to {folder}: {err}. Choose another folder.") from err
    drawn = {name: figure for name, (figure, _table) in figures.items() if figure is not None}
    printing.write(drawn, folder, width=width)
    out.print(f"Written to {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}", soft_wrap=True)
