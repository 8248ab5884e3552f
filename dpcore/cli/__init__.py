"""The same jobs without a browser: `python -m dpcore`.

With --json, standard output is JSON and nothing else; an infinite number is the string "inf".
"""

import importlib

import typer
import typer.core

from dpcore.errors import EpsilonLabError

# By its name, the module that has a command: its `app`, if it is a group, or a function of that name.
_MODULES = {
    "account": "privacy",
    "calibrate": "privacy",
    "statement": "privacy",
    "train": "train",
    "ledger": "ledger",
    "runs": "runs",
    "study": "study",
    "data": "data",
    "cluster": "cluster",
    "audit": "audit",
    "elsewhere": "elsewhere",
    "verify": "tools",
    "serve": "tools",
}


class _Commands(typer.core.TyperGroup):
    """Imports a command's module when it is asked for: who starts the dashboard does not wait for pyarrow.

    What goes wrong in a command is printed as a sentence, and the exit code is then 2.
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has seen enough
            raise
        except (EpsilonLabError, OSError) as error:
            from dpcore.cli import options  # each command has imported it by now

            options.print_error(str(error))
            raise typer.Exit(2) from error

    def list_commands(self, ctx):
        return list(_MODULES)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"dpcore.cli.{_MODULES[cmd_name]}")
        if hasattr(module, "app"):
            command = typer.main.get_group(module.app)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command()(getattr(module, cmd_name))
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """User-level differential privacy in federated learning."""


def main() -> None:
    app(prog_name="python -m dpcore")
