"""In which order runs begin."""

from dpcore.plan import Plan


def create(store):
    return store.create(Plan(), engine="tff", eval_every=5)


def test_the_queue_has_an_order_that_can_be_changed(store):
    one, two, three = (create(store) for _ in range(3))

    def queue():
        return [run.run_id for run in store.queue()]

    assert queue() == [one, two, three]
    store.move(three, before=one)
    assert queue() == [three, one, two]
    store.move(three, before=None)
    assert queue() == [one, two, three]
    store.begin(one)
    store.move(three, before=two)
    assert queue() == [three, two]
    store.end(one, "interrupted")
    store.requeue(store.run(one), redrawn=0)
    assert queue() == [one, three, two]  # it had its turn already


def test_a_clock_that_jumps_moves_no_run_in_the_queue(store, monkeypatch):
    one = create(store)
    monkeypatch.setattr("time.time", lambda: 1.0)
    two = create(store)
    assert [run.run_id for run in store.queue()] == [one, two]
