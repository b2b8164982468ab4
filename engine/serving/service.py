"""The service: pictures are posted, and answered as JSON. One system, one process; requests share batches.

app = service(system, ServiceSettings())    # an ASGI application; ``aces serve`` runs it
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from engine import __version__
from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.serving.batcher import Answer, Batcher, BusyError
from engine.serving.bodies import BodyLimits, RefusedError, pictures_in, read_body
from engine.serving.tally import ABSTAINED, CONTENT_TYPE, ServerTally
from engine.single_image.case import Case
from engine.single_image.certificate import to_json
from engine.single_image.certify import Certification
from engine.single_image.inputs import Input, read_image
from engine.single_image.picture import Framing
from engine.single_image.plan import Plan
from engine.single_image.promise import promise_of_predict
from engine.single_image.system import Prediction, System
from engine.single_image.until import Until
from engine.statistics.looks import FIRST, FIRST_LOOK

DECODERS = 2  # pictures that are decoded beside each other: each may take 300 MB for a moment


@dataclass(frozen=True)
class ServiceSettings:
    """``n``: the most draws for one picture; ``most``: pictures that may wait; ``seconds``: for a request in all."""

    n: int = 10_000
    most: int = 64
    seconds: float = 60.0
    body: BodyLimits = field(default_factory=BodyLimits)


class Vote(BaseModel):
    """What one network says of a picture. ``confidence`` in [0, 1] is no probability of being right: of the
    certification network the share of noisy draws for its class, of the core network what its softmax gives.
    """

    answer: str
    confidence: float


class Answered(BaseModel):
    """One picture. ``answer`` is null and ``class_index`` -1 where the system abstains.

    ``radius``: in units where a pixel runs from 0 to 1; null of PREDICT, which promises none, and 0 unless certified.
    ``alpha``: the probability over the sampling that the answer is not the system's; ``draws`` of each network.
    """

    file: str | None
    answer: str | None
    class_index: int
    abstained: bool
    outcome: str
    radius: float | None
    alpha: float
    draws: int
    certification_network: Vote
    core_network: Vote
    notes: list[str]
    statement: str | None = None
    promise: str | None = None
    certificate: dict[str, Any] | None = None


class AnsweredAll(BaseModel):
    """The pictures of a request, in its order, and the seconds that it took."""

    answers: list[Answered]
    seconds: float


class Fault(BaseModel):
    """Why a request was not answered, in a line."""

    error: str


class Health(BaseModel):
    """Whether the server answers, and by which system."""

    status: str
    engine_version: str
    dataset: str
    classes: list[str]
    shape: list[int]
    alpha: float
    waiting: int


A_PICTURE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"images": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
        },
    }
}
FAULTS: dict[int | str, dict[str, Any]] = {
    400: {"model": Fault, "description": "No picture, or a form that is none."},
    408: {"model": Fault, "description": "The body came too slowly."},
    413: {"model": Fault, "description": "The body is too large, or has too many pictures."},
    415: {"model": Fault, "description": "Another kind of body."},
    422: {"model": Fault, "description": "A picture that cannot be read, or a value outside its range."},
    429: {"model": Fault, "description": "Too many pictures wait; Retry-After says when to ask again."},
    503: {"model": Fault, "description": "No answer in the time that a request has, or the server stops."},
}
Inverted = Annotated[bool, Query(description="Light becomes dark, for networks of white shapes on black.")]

Draws = Annotated[int | None, Query(ge=1, description="Draws that estimate, at most; by default the server's n.")]
UntilRadius = Annotated[float | None, Query(description="End when this radius is certified, or hopeless.")]
UntilAnswer = Annotated[bool, Query(description="End when there is an answer, or none to be hoped for.")]
WithCertificate = Annotated[bool, Query(description="With the certificate, which anybody can check.")]


class Service:
    """The requests of one system."""

    def __init__(self, system: System, settings: ServiceSettings) -> None:
        self.settings, self.system = settings, system
        self.batcher = Batcher(system, settings.n, settings.most)
        self.tally = ServerTally(lambda: self.batcher.waiting)
        self._decoders = ThreadPoolExecutor(DECODERS, "decoder")

    def close(self) -> None:
        """Answer what is under way."""
        self.batcher.close()
        self._decoders.shutdown()

    def asked(self, n: int | None, until_radius: float | None, *, until_answer: bool) -> tuple[Plan, Until | None]:
        """The plan of a request, and what ends its draws. Raises ``RefusedError`` for values outside their ranges."""
        most = self.settings.n if n is None else n
        if most > self.settings.n:
            raise RefusedError(422, f"n is {most:,}; this server draws at most {self.settings.n:,}")
        if until_answer and until_radius is not None:
            raise RefusedError(422, "until_radius and until_answer ask two questions: name one")
        if until_radius is not None and not 0 < until_radius < math.inf:
            raise RefusedError(422, f"until_radius is {until_radius:g}; what is to be reached is a positive radius")
        until = Until(until_radius) if until_answer or until_radius is not None else None
        return self.system.plan(most, first=FIRST_LOOK if until is None else FIRST), until

    async def predict(self, request: Request, *, invert: bool) -> AnsweredAll:
        """PREDICT of the pictures of a request."""

        def ask(image: Input) -> Answer:
            return self.batcher.predict(image.pixels)

        return await self._answer(request, invert, ask, self._predicted)

    async def certify(
        self, request: Request, plan: Plan, until: Until | None, *, invert: bool, certificate: bool
    ) -> AnsweredAll:
        """CERTIFY of the pictures of a request."""

        def ask(image: Input) -> Answer:
            return self.batcher.certify(Case.fixed(*image.certifiable(), plan), until)

        return await self._answer(request, invert, ask, partial(self._certified, whole=certificate))

    async def _answer(
        self,
        request: Request,
        invert: bool,
        ask: Callable[[Input], Answer],
        told: Callable[[str, Input, Any], Answered],
    ) -> AnsweredAll:
        start, places = time.perf_counter(), 1
        self.batcher.reserve()  # before anything of the body is read: what waits has an end
        try:
            async with asyncio.timeout(self.settings.seconds):
                body = await read_body(request.stream(), request.headers, self.settings.body)
                files = pictures_in(body, request.headers.get("content-type", ""), self.settings.body)
                self.batcher.reserve(len(files) - 1)
                places = len(files)
                images = [await self._read(name, data, invert) for name, data in files]
                found = await _while_connected(request, [ask(image) for image in images])
        except TimeoutError as error:
            raise RefusedError(503, f"no answer after {self.settings.seconds:g} s") from error
        finally:
            self.batcher.release(places)
        answers = [told(name, image, one) for (name, _), image, one in zip(files, images, found, strict=True)]
        for answer in answers:
            self.tally.image(answer.outcome, answer.draws)
        return AnsweredAll(answers=answers, seconds=round(time.perf_counter() - start, 4))

    async def _read(self, name: str, data: bytes, invert: bool) -> Input:
        """A picture as the networks see it, by the one reader of pictures, in a thread."""
        shape = self.batcher.pair.dataset.shape
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._decoders, read_image, data, shape, Framing(invert=invert))
        except AcesError as error:
            where = f"{ascii(name)[1:-1][:100]}: " if name else ""
            raise RefusedError(422, f"{where}{error}") from error

    def _predicted(self, name: str, image: Input, found: Prediction) -> Answered:
        outcome = ABSTAINED if found.answer == ABSTAIN else found.selected
        return Answered(
            file=name or None, answer=found.name, class_index=found.answer, abstained=found.answer == ABSTAIN,
            outcome=outcome, radius=None, alpha=found.alpha, draws=found.draws,
            certification_network=self._vote(found.top, found.share),
            core_network=self._vote(found.core, found.core_confidence), notes=list(image.notes),
            promise=promise_of_predict(found.answer != ABSTAIN, found.alpha, self.batcher.pair.networks.classes),
        )  # fmt: skip

    def _certified(self, name: str, image: Input, found: Certification, *, whole: bool) -> Answered:
        made, votes = found.certificate(), found.evidence.votes
        return Answered(
            file=name or None, answer=made.answer, class_index=made.prediction, abstained=made.prediction == ABSTAIN,
            outcome=made.outcome, radius=made.radius, alpha=made.plan.alpha, draws=made.draws,
            certification_network=self._vote(int(votes.argmax()), float(votes.max() / votes.sum())),
            core_network=self._vote(made.core_answer, found.core_confidence), notes=list(image.notes),
            statement=made.statement, promise=made.promise,
            certificate=json.loads(to_json(made)) if whole else None,
        )  # fmt: skip

    def _vote(self, index: int, confidence: float) -> Vote:
        return Vote(answer=self.batcher.pair.networks.classes[index], confidence=round(confidence, 6))


async def _while_connected(request: Request, asked: Sequence[Answer]) -> list[Any]:
    """The answers, as long as there is somebody to hear them."""
    waiting: list[asyncio.Future[Any]] = [asyncio.wrap_future(one) for one in asked]
    every: asyncio.Future[list[Any]] = asyncio.gather(*waiting)
    gone: asyncio.Future[Any] = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({every, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not every.done():
            raise ClientDisconnect
        return every.result()
    finally:
        gone.cancel()
        every.cancel()  # what nobody waits for is asked no longer
        with suppress(asyncio.CancelledError, Exception):
            await every


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def service(system: System, settings: ServiceSettings = ServiceSettings()) -> FastAPI:
    """The application. The networks are loaded now, and answer until it is shut down."""
    serves = Service(system, settings)
    networks = serves.batcher.pair.networks

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.get_running_loop().run_in_executor(None, serves.close)

    app = FastAPI(
        title="ACES Explorer", version=__version__, lifespan=life, responses=FAULTS,
        description=f"A certified system for {networks.dataset}: {networks.certify.name}, {networks.core.name}.",
    )  # fmt: skip
    app.add_middleware(_Counted, tally=serves.tally)

    _answer_faults(app)

    @app.post("/predict", response_model=AnsweredAll, openapi_extra=A_PICTURE)
    async def predict(request: Request, invert: Inverted = False) -> AnsweredAll:
        """Answer pictures by PREDICT: with probability at least 1 - alpha over the draws, of each picture, the answer
        is the smoothed system's, or none. As few draws as it takes.
        """
        return await serves.predict(request, invert=invert)

    @app.post("/certify", response_model=AnsweredAll, openapi_extra=A_PICTURE)
    async def certify(
        request: Request,
        n: Draws = None,
        until_radius: UntilRadius = None,
        until_answer: UntilAnswer = False,
        certificate: WithCertificate = False,
        invert: Inverted = False,
    ) -> AnsweredAll:
        """Certify pictures by CERTIFY: an answer with the radius in which it provably cannot change."""
        plan, until = serves.asked(n, until_radius, until_answer=until_answer)
        return await serves.certify(request, plan, until, invert=invert, certificate=certificate)

    @app.get("/health", response_model=Health)
    async def health(response: Response) -> Health:
        """Whether the server answers."""
        alive = serves.batcher.alive
        response.status_code = 200 if alive else 503
        return Health(
            status="ok" if alive else "the thread that asks the networks has ended", engine_version=__version__,
            dataset=networks.dataset, classes=list(networks.classes), alpha=system.alpha,
            shape=list(serves.batcher.pair.dataset.shape), waiting=serves.batcher.waiting,
        )  # fmt: skip

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """What was counted, for Prometheus."""
        return Response(serves.tally.text(), media_type=CONTENT_TYPE)

    return app


def _answer_faults(app: FastAPI) -> None:
    """What goes wrong is an answer of one line, by its kind."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return _fault(error.status, str(error))

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return _fault(429, str(error), {"Retry-After": str(error.seconds)})

    @app.exception_handler(AcesError)
    async def wrong(_: Request, error: AcesError) -> Response:
        return _fault(422, str(error))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return _fault(499, "the client is gone")

    @app.exception_handler(RequestValidationError)
    async def no_value(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _fault(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(RuntimeError)
    async def failed(_: Request, error: RuntimeError) -> Response:
        return _fault(503, str(error))


def _fault(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """What was refused may still be on its way: the connection ends with the answer."""
    return JSONResponse({"error": " ".join(message.split())}, status, {"Connection": "close", **(headers or {})})


class _Counted:
    """Counts every answer by its path and status, and its seconds."""

    def __init__(self, app: Callable[..., Awaitable[None]], tally: ServerTally) -> None:
        self._app, self._tally = app, tally

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, path = time.perf_counter(), scope["path"]
        known = path if path in ("/predict", "/certify", "/health", "/metrics") else "other"

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._tally.request(known, message["status"], time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, sent)
