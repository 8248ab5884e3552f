"""Commands about clusters: which one runs use, who is in it, and certificates for one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dpcore import limits
from dpcore.cli import options
from dpcore.cli.options import out, print_json
from dpcore.cli.runs import open_store
from dpcore.cluster import status
from dpcore.cluster.configuration import INSECURE, ClusterConfiguration
from dpcore.errors import ClusterError, InvalidValueError
from dpcore.runs.access.protocol import StoreAccess

app = typer.Typer(no_args_is_help=True, help="Computing cohorts on a Dask cluster: docs/CLUSTER.md.")

Address = Annotated[
    str, typer.Option("--cluster", help="Share each round's clients over this Dask cluster: tls://host:8786.")
]
Workers = Annotated[int, options.option(limits.CLUSTER_WORKERS)]
Tls = Annotated[
    Path | None, typer.Option("--tls", help="The folder of ca.pem, cert.pem and key.pem for the cluster.")
]
Whose = Annotated[
    str,
    typer.Option(
        "--of", help="A run or a study that has a cluster of its own: it uses that when it begins or resumes."
    ),
]
Insecure = Annotated[
    bool, typer.Option(INSECURE, help="Allow plain TCP to another machine, on a network that is yours alone.")
]


def chosen_cluster(
    address: str, workers: int, tls: Path | None, insecure: bool, engine: str
) -> ClusterConfiguration | None:
    """Returns the cluster that a command's options name, after asking whether it answers; `None` where they name none.

    Raises:
        InvalidValueError: If they do not fit each other, or the engine.
        ClusterError: If nobody answers there.
    """
    if not address and not workers:
        if tls:
            raise InvalidValueError("tls", "Expected --cluster tls://host:8786 beside --tls, found none.")
        return None
    if engine != "vectorized":
        raise InvalidValueError("engine", f"Expected the engine vectorized for a cluster, found {engine}.")
    configuration = ClusterConfiguration(
        address=address, workers=workers, tls=str(tls.expanduser().resolve()) if tls else "", insecure=insecure
    )
    if address:
        _present(configuration)
    return configuration


def _present(configuration: ClusterConfiguration) -> dict[str, dict]:
    """Returns the workers at an address, as Dask describes them."""
    from dpcore.cluster.connection import connect, workers_of  # half a second, and only for those who use a cluster

    connection = connect(configuration)
    try:
        return workers_of(connection.client, insecure=configuration.insecure)
    finally:
        connection.close()


@app.command("set")
def set_cluster(
    address: Annotated[str, typer.Argument(help="Of a Dask scheduler: tls://host:8786.")] = "",
    workers: Workers = 0,
    tls: Tls = None,
    insecure: Insecure = False,
    whose: Whose = "",
    home_folder: options.HomeFolder = None,
) -> None:
    """Let all runs that begin or go on from now on use this cluster, or so many processes on this machine.

    But for those that have a cluster of their own, which `--of` sets.
    """
    store = open_store(home_folder)
    _check(store, whose)
    configuration = chosen_cluster(address, workers, tls, insecure, "vectorized")
    if configuration is None:
        raise InvalidValueError(
            "cluster", "Expected an address or --workers, found neither. `cluster clear` unsets it."
        )
    store.set_cluster(configuration, whose)
    out.print(f"{whose or 'Runs'} will use {configuration.where}.")


@app.command("clear")
def clear_cluster(whose: Whose = "", home_folder: options.HomeFolder = None) -> None:
    """Let runs that begin or go on from now on compute on this machine alone.

    But for those that have a cluster of their own; `--of` lets one of them use that of all again.
    """
    store = open_store(home_folder)
    _check(store, whose)
    store.set_cluster(None, whose)


def _check(store: StoreAccess, whose: str) -> None:
    """Says no to what is neither a run nor a study."""
    if whose and not store.studies(whose):
        store.run(whose)


@app.command("show")
def show_cluster(home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """Which cluster runs use, who is in it, and what the runs that train now see of it."""
    store = open_store(home_folder)
    configuration = store.cluster()
    present, problem = {}, ""
    if configuration and configuration.address:
        try:
            present = _present(configuration)
        except ClusterError as err:
            problem = str(err)
    seen = {run.run_id: status.read(store.folder(run.run_id)) for run in store.runs(status=["running"])}
    if as_json:
        print_json(
            cluster=configuration and asdict(configuration),
            problem=problem,
            workers=sorted(present),
            runs={run_id: asdict(one) for run_id, one in seen.items() if one},
        )
        return
    out.print(configuration.where if configuration else "This machine alone.")
    if problem:
        options.print_error(problem)
    for address, told in present.items():
        out.print(f"  {told.get('name')}  {address}  threads: {told.get('nthreads')}")
    for run_id, one in seen.items():
        if one is not None:
            out.print(f"{run_id}: {one.where}. {one.message}")
            out.print(workers_table(one))
    if problem:
        raise typer.Exit(1)


def workers_table(seen: status.ClusterStatus) -> Table:
    """Returns the workers that a run has met as a table."""
    table = Table("worker", "address", "state", "shards", "time per client (ms)", "")
    for one in seen.workers:
        pace = "" if one.seconds_per_client is None else f"{one.seconds_per_client * 1e3:.2f}"
        note = one.reason or ("far slower than the others" if one.slow else "")
        table.add_row(one.name, one.address, one.state, str(one.shards), pace, note)
    return table


@app.command("certificates")
def make_certificates(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is missing, only its user can read it.")],
) -> None:
    """Make an authority of your own and a certificate of it, for scheduler, workers and Epsilon Lab."""
    from dpcore.cluster import certificates  # `cryptography`: not needed otherwise

    certificates.make(folder.expanduser())
    out.print(f"Written to {folder}. Anybody with cert.pem and key.pem may run code on the cluster.")
