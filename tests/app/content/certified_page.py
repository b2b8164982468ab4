"""The page Certify without a worker: a fake server, and what is read off the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from streamlit.testing.v1 import AppTest

from app.services.certify_queue import JobState, Task, View
from engine.datasets import card
from engine.errors import AcesError
from engine.records.draws import Draws
from engine.single_image.case import Case
from engine.single_image.certify import Certification
from engine.single_image.evidence import Evidence, Pool
from engine.single_image.subject import Networks

ID = "the-job"


@dataclass
class FakeServer:
    """Answers pages at once, and remembers what it was asked."""

    job: View | None = None
    batch: dict[str, View] = field(default_factory=dict)
    known_rate: float | str | None = 2_000.0
    refuses: str = ""
    submitted: list[Task] = field(default_factory=list)
    ended: list[JobState] = field(default_factory=list)
    attacks: list[tuple[int, float]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def rate(self, pair: object, sigma: float) -> float | str | None:
        return self.known_rate

    def view(self, session: str, id: str) -> View | None:
        return self.job if id == ID else self.batch.get(id)

    def submit(self, session: str, task: Task) -> str:
        if self.refuses:
            raise AcesError(self.refuses)
        self.submitted.append(task)
        self.job = View(ID, task, JobState.QUEUED, ahead=2)
        return ID

    def submit_batch(self, session: str, tasks: Sequence[Task]) -> tuple[str, ...]:
        if self.refuses:
            raise AcesError(self.refuses)
        self.submitted += tasks
        ids = tuple(f"job-{k}" for k in range(len(tasks)))
        self.batch = {
            id: View(id, task, ahead=k, batch=ids) for k, (id, task) in enumerate(zip(ids, tasks, strict=True))
        }
        return ids

    def cancel(self, session: str, ids: Sequence[str]) -> None:
        self.cancelled += ids

    def end(self, session: str, id: str, ending: JobState) -> None:
        self.ended.append(ending)

    def try_to_break(self, session: str, id: str, target: int, budget: float) -> None:
        self.attacks.append((target, budget))

    def leave(self, session: str) -> None: ...


def evidence(k: int, class_: int = 7, entropy: float = 0.2, *, select: bool = False) -> Evidence:
    def draws(count: int) -> Draws:
        return Draws(np.full(count, class_, np.uint16), np.full(count, entropy, np.float32))

    found = Evidence(10, class_, draws(100), draws(k))
    if not select:
        return found
    found = replace(found, select=Pool.none())
    return found.with_draws("guess", draws(100), "select").with_draws("estimate", draws(k), "select")


def sampled(task: Task, evidence: Evidence, **networks: object) -> Certification:
    """What the worker would say of a task: who answers, and these draws."""
    asked = task.asked
    answers = Networks(
        asked.dataset, card(asked.dataset).classes, asked.certify, asked.core, asked.precision, "cpu", asked.select,
        asked.mechanism,
    )  # fmt: skip
    return Certification(Case(task.tensor, task.image, task.plan, 1), replace(answers, **networks), evidence, 0.875)


def values(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def text(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.info, page.success, page.warning, page.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def finished(task: Task, drawn: Evidence | None = None, **networks: object) -> View:
    found = sampled(task, drawn or evidence(10_000), **networks)
    return View(ID, task, JobState.DONE, found, ended=datetime(2026, 1, 1, tzinfo=UTC))


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))
