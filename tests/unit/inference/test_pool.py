"""The pool of model processes: who waits, who is ended, and that memory and turns are never exceeded."""

import random
import threading
import time
from types import SimpleNamespace

import pytest

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from inference.runner.limits import RunLimits
from inference.runner.pool import ModelPool


class FakeProcess:
    def __init__(self):
        self.alive = True
        self.pid = id(self)
        self.memory_mb = 1

    def kill(self):
        self.alive = False

    terminate = kill


def model(name, memory_mb=100):
    return SimpleNamespace(name=name, memory_mb=memory_mb)


def pool_of(budget_mb=250, concurrency=1, gpu_runs=1, *, on_gpu=False):
    ended = []
    limits = RunLimits(memory_budget_mb=budget_mb, concurrency=concurrency, gpu_runs=gpu_runs)
    return ModelPool(limits, on_gpu=on_gpu, evicted=ended.append), ended


def start(pool, seat):
    if not seat.is_warm:
        pool.begin(seat, FakeProcess())
        seat.loaded = True


def use(pool, manifest):
    with pool.lease(manifest) as seat:
        start(pool, seat)
        return seat.process


class Run:
    """A run in a thread of its own that ends when it is told to."""

    def __init__(self, pool, manifest):
        self.started, self.finish = threading.Event(), threading.Event()
        self.error = None
        self._pool, self._manifest = pool, manifest
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        try:
            with self._pool.lease(self._manifest) as seat:
                start(self._pool, seat)
                self.started.set()
                self.finish.wait(10)
        except (InferenceFailed, ModelProcessFailed) as exc:
            self.error = exc

    def end(self):
        self.finish.set()
        self.thread.join(10)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_model_stays_warm_between_runs():
    pool, ended = pool_of()
    assert use(pool, model("a")) is use(pool, model("a"))
    assert ended == []


def test_room_is_made_by_the_model_that_was_idle_longest():
    pool, ended = pool_of()
    first = use(pool, model("a"))
    use(pool, model("b"))
    use(pool, model("a"))
    use(pool, model("c"))
    assert ended == ["b"]
    assert use(pool, model("a")) is first


def test_a_model_larger_than_the_budget_is_refused_with_what_to_do():
    pool, _ = pool_of()
    with pytest.raises(
        InferenceFailed, match=r"a needs 300 MiB .* 250 MiB; raise inference\.memory_budget_mb"
    ):
        use(pool, model("a", 300))


def test_runs_wait_for_their_turn_and_a_gpu_has_its_own_number():
    pool, _ = pool_of(concurrency=2)
    runs = [Run(pool, model(name, 10)) for name in "abc"]
    wait_for(lambda: sum(run.started.is_set() for run in runs) == 2)
    assert not all(run.started.is_set() for run in runs)
    for run in runs:
        run.end()
    assert all(run.started.is_set() for run in runs)
    gpu, _ = pool_of(concurrency=2, on_gpu=True)
    one, two = Run(gpu, model("a", 10)), Run(gpu, model("b", 10))
    wait_for(lambda: one.started.is_set() or two.started.is_set())
    assert not (one.started.is_set() and two.started.is_set())
    one.end()
    two.end()


def test_a_model_at_work_is_never_ended_and_who_needs_its_memory_is_not_overtaken():
    pool, ended = pool_of(budget_mb=200, concurrency=3)
    small = Run(pool, model("small", 60))
    assert small.started.wait(10)
    large = Run(pool, model("large", 150))
    wait_for(lambda: len(pool._waiting) == 1)
    later = Run(pool, model("later", 40))
    wait_for(lambda: len(pool._waiting) == 2)
    assert not large.started.is_set()
    assert not later.started.is_set()
    small.end()
    assert large.started.wait(10)
    assert ended == ["small"]
    assert later.started.wait(10)
    large.end()
    later.end()


def test_who_waits_for_its_own_model_holds_up_no_other():
    pool, _ = pool_of(concurrency=2)
    first = Run(pool, model("a"))
    assert first.started.wait(10)
    second = Run(pool, model("a"))
    wait_for(lambda: len(pool._waiting) == 1)
    other = Run(pool, model("b"))
    assert other.started.wait(10)
    assert not second.started.is_set()
    for run in (first, other, second):
        run.end()
    assert second.started.is_set()


def test_a_process_that_died_gives_its_memory_back():
    pool, ended = pool_of(budget_mb=150)
    with pool.lease(model("a")) as seat:
        start(pool, seat)
        seat.process.kill()
    use(pool, model("b"))
    assert ended == []
    assert set(pool.processes()) == {"b"}


def test_has_room_ends_nothing():
    pool, ended = pool_of(budget_mb=150)
    use(pool, model("a"))
    assert pool.has_room(model("a"))
    assert not pool.has_room(model("b"))
    assert ended == []


def test_close_ends_processes_at_work_and_sends_away_who_waits():
    pool, _ = pool_of()
    run = Run(pool, model("a"))
    assert run.started.wait(10)
    waiting = Run(pool, model("b"))
    wait_for(lambda: len(pool._waiting) == 1)
    closer = threading.Thread(target=pool.close)
    closer.start()
    waiting.thread.join(10)
    run.end()
    closer.join(10)
    assert isinstance(waiting.error, ModelProcessFailed)
    assert pool.processes() == {}
    with pytest.raises(ModelProcessFailed, match="stopping"):
        use(pool, model("c"))


def test_many_runs_of_many_models_never_exceed_memory_or_turns():
    pool, _ = pool_of(budget_mb=100, concurrency=3)
    at_work, worst, guard = [], [], threading.Lock()
    models = [model(name, size) for name, size in (("a", 20), ("b", 30), ("c", 50), ("d", 90))]

    def work(seed):
        draw = random.Random(seed)
        for _ in range(12):
            chosen = draw.choice(models)
            with pool.lease(chosen) as seat:
                start(pool, seat)
                with guard:
                    at_work.append(chosen)
                    kept = sum(s.memory_mb for s in pool._seats.values())
                    worst.append((len(at_work), sum(m.memory_mb for m in at_work), kept))
                time.sleep(0.0005)
                with guard:
                    at_work.remove(chosen)
                if draw.random() < 0.1:
                    seat.process.kill()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(worst) == 72
    assert max(count for count, _, _ in worst) <= 3
    assert max(memory for _, memory, _ in worst) <= 100
    assert max(kept for _, _, kept in worst) <= 100
