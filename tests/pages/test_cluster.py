"""The page of a run shows its workers, from what the run has noted."""

from dpcore.cluster import status
from dpcore.runs.store import Store
from tests.pages.test_pages import home, page  # noqa: F401  (a fixture)


def test_the_page_of_a_run_shows_the_workers_that_it_met(home, small_plan):  # noqa: F811
    store = Store(home)
    run_id = store.create(small_plan, engine="vectorized", eval_every=1)
    store.begin(run_id)
    store.end(run_id, "stopped")
    plain = page("runs", runs=run_id)
    assert not [one for one in plain.expander if one.label.startswith("The cluster")]
    workers = [
        status.WorkerStatus(name="a", address="tls://a:1", state="ready", shards=7, seconds_per_client=0.002),
        status.WorkerStatus(name="b", address="tls://b:1", state="refused", reason="other code of Epsilon Lab"),
        status.WorkerStatus(
            name="c", address="tls://c:1", state="gone", shards=2, seconds_per_client=0.02, slow=True
        ),
    ]
    status.write(store.folder(run_id), status.status_now("tls://s:8786", "", workers, 3))
    shown = page("runs", runs=run_id)
    (found,) = [one for one in shown.expander if one.label.startswith("The cluster")]
    (table,) = [one.value for one in found.dataframe]
    assert table["State"].tolist() == ["ready", "refused", "gone"]
    assert table["Note"].tolist() == ["", "other code of Epsilon Lab", "far slower than the others"]
    assert table["Shards"].tolist() == [7, 0, 2]
    assert any("tls://s:8786" in one.value and "3" in one.value for one in found.caption)
