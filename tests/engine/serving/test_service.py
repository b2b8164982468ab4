"""A real server and real clients: every answer is right, or a 4xx that says why; nothing stops it but a signal."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from engine import __version__
from engine.single_image.certificate import check, from_json
from engine.single_image.picture import read_picture, to_tensor
from engine.single_image.system_file import Deployed, to_yaml
from tests.bad_pictures import BAD
from tests.serving import Running, running
from tests.waiting import wait_until

PNG = {"Content-Type": "image/png"}


def post(server: Running, path: str, **how: object) -> requests.Response:
    return requests.post(f"{server.url}{path}", timeout=120, **how)


@pytest.fixture(scope="module")
def clear(demo_system, pictures) -> dict[int, str]:
    """Pictures that the first look decides: asked again, they are answered the same."""
    found = demo_system.predict(pictures, n=400)
    return {at: one.name for at, one in enumerate(found) if one.draws == 25 and one.name}


def test_a_picture_is_answered(server, pictures, clear):
    at, name = next(iter(clear.items()))
    response = post(server, "/predict", data=pictures[at], headers=PNG)
    assert response.status_code == 200
    (answer,) = response.json()["answers"]
    assert (answer["answer"], answer["abstained"], answer["radius"]) == (name, False, None)
    assert (answer["alpha"], answer["certificate"], answer["file"]) == (0.001, None, None)
    assert 25 <= answer["draws"] <= 400
    assert 0 < answer["core_network"]["confidence"] <= 1
    assert response.json()["seconds"] > 0


def test_several_are_certified_and_their_certificates_check(server, pictures):
    files = [("images", (f"{at}.png", pictures[at], "image/png")) for at in range(3)]
    response = post(server, "/certify?n=300&certificate=true", files=files)
    assert response.status_code == 200
    answers = response.json()["answers"]
    assert [answer["file"] for answer in answers] == ["0.png", "1.png", "2.png"]
    for at, answer in enumerate(answers):
        made = from_json(json.dumps(answer["certificate"]))
        check(made, to_tensor(read_picture(pictures[at]), made.image.framing, made.image.shape))
        assert (answer["radius"], answer["outcome"], answer["draws"]) == (made.radius, made.outcome, 400)
        assert answer["promise"] == made.promise
    ended = post(server, "/certify?until_answer=true", data=pictures[0], headers=PNG).json()["answers"][0]
    assert ended["certificate"] is None


@pytest.mark.parametrize(
    ("path", "how", "status", "said"),
    [
        ("/predict", {"data": b"no picture", "headers": PNG}, 422, "this is no image"),
        ("/predict", {"data": b"", "headers": PNG}, 400, "no picture"),
        ("/predict", {"data": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "a body of"),
        ("/predict", {"data": bytes(2_000_001), "headers": PNG}, 413, "more than 2 MB"),
        ("/predict", {"files": [("images", (f"{k}", b"x")) for k in range(5)]}, 413, "more than 4 pictures"),
        ("/predict", {"files": [("images", ("bad\n.png", b"x"))]}, 422, "this is no image"),
        ("/certify?n=0", {"data": b"x", "headers": PNG}, 422, "n: "),
        ("/certify?n=401", {"data": b"x", "headers": PNG}, 422, "at most 400"),
        ("/certify?until_radius=-1", {"data": b"x", "headers": PNG}, 422, "until_radius is -1"),
        ("/certify?until_radius=nan", {"data": b"x", "headers": PNG}, 422, "until_radius is nan"),
        ("/certify?until_radius=1&until_answer=true", {"data": b"x", "headers": PNG}, 422, "name one"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_4xx_of_one_line(server, path, how, status, said):
    response = post(server, path, **how)
    assert response.status_code == status
    error = response.json()["error"]
    assert said in error
    assert "\n" not in error


@pytest.mark.parametrize("name", BAD)
def test_hostile_pictures_are_refused_as_everywhere(server, name):
    data, why = BAD[name]
    response = post(server, "/predict", data=data, headers=PNG)
    assert response.status_code in ((400, 413, 422) if why else (200, 422))  # without a reason it may be read


def test_health_metrics_and_the_description(server):
    health = requests.get(f"{server.url}/health", timeout=60).json()
    assert (health["status"], health["engine_version"], health["shape"]) == ("ok", __version__, [1, 28, 28])
    text = requests.get(f"{server.url}/metrics", timeout=60).text
    assert 'aces_requests_total{path="/health",status="200"}' in text
    described = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    assert set(described["paths"]) == {"/predict", "/certify", "/health", "/metrics"}
    assert "multipart/form-data" in described["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert requests.get(f"{server.url}/docs", timeout=60).status_code == 200


@pytest.mark.slow
def test_200_mixed_requests_at_once_are_right_or_a_4xx_and_memory_is_flat(server, pictures, clear):
    """Good, bad, huge, slow and aborted ones, from 20 clients."""
    names = list(clear.items())

    def good(k: int) -> int:
        at, name = names[k % len(names)]
        response = post(server, "/predict", data=pictures[at], headers=PNG)
        if response.status_code == 200:
            assert response.json()["answers"][0]["answer"] == name
        return response.status_code

    def several(k: int) -> int:
        chosen = [names[(k + j) % len(names)] for j in range(3)]
        files = [("images", (str(at), pictures[at], "image/png")) for at, _ in chosen]
        response = post(server, "/certify?until_answer=true&n=200", files=files)
        if response.status_code == 200:
            told = [answer["answer"] for answer in response.json()["answers"]]
            assert all(one in (name, None) for one, (_, name) in zip(told, chosen, strict=True))
        return response.status_code

    def bad(k: int) -> int:
        return post(server, "/predict", data=pictures[k % 24][: 50 + k], headers=PNG).status_code

    def status(answer: bytes) -> int:
        found = re.match(rb"HTTP/1.1 (\d+)", answer)
        return int(found[1]) if found else 0

    def huge(k: int) -> int:
        length = 3_000_000 if k % 2 else 10**15
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        return status(server.raw(head, bytes(3_000_000)))

    def slow(_: int) -> int:
        head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
        return status(server.raw(head, b"some of it"))

    def aborted(k: int) -> int:
        picture = pictures[k % 24]
        length = len(picture) * (1 if k % 2 else 2)
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        server.raw(head, picture, answered=False)
        return 400

    kinds = [good] * 9 + [several, bad, bad, bad, huge, huge, slow, aborted, aborted, good, good]
    memory = psutil.Process(server.process.pid).memory_info
    after: list[int] = []
    found: Counter[tuple[str, int]] = Counter()
    with ThreadPoolExecutor(20) as clients:
        for part in range(0, 200, 50):
            done = list(clients.map(lambda k: (kinds[k % 20].__name__, kinds[k % 20](k)), range(part, part + 50)))
            found.update(done)
            after.append(memory().rss)
    assert all(status == 200 or 400 <= status < 500 for _, status in found), found
    assert sum(count for (kind, status), count in found.items() if kind == "good" and status == 200) > 80
    assert {status for kind, status in found if kind == "huge"} <= {413, 429}
    assert {status for kind, status in found if kind == "slow"} <= {408, 429}
    assert after[-1] - after[0] < 100e6, after
    deadline = time.monotonic() + 60
    while requests.get(f"{server.url}/health", timeout=60).json()["waiting"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert requests.get(f"{server.url}/health", timeout=60).json()["waiting"] == 0
    assert good(0) == 200


def test_a_full_queue_says_when_to_ask_again_and_a_signal_lets_it_finish(demo_system, pictures, tmp_path):
    path = tmp_path / "system.yaml"
    path.write_text(to_yaml(Deployed(demo_system, {}), path))
    with running(path, "--queue", "2", "--n", "20000", "--seconds", "200") as server:
        answers: list[requests.Response] = []
        asked = [
            threading.Thread(
                target=lambda: answers.append(post(server, "/certify?n=2000", data=pictures[3], headers=PNG))
            )
            for _ in range(2)
        ]
        for thread in asked:
            thread.start()
        while requests.get(f"{server.url}/health", timeout=60).json()["waiting"] < 2 and not answers:
            time.sleep(0.01)
        refused = post(server, "/predict", data=pictures[0], headers=PNG)
        if not answers:  # else they were too fast to be waited for
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
        server.process.send_signal(signal.SIGTERM)
        for thread in asked:
            thread.join()
        assert [response.status_code for response in answers] == [200, 200]
        assert server.process.wait(60) == 0


def test_a_server_that_is_killed_under_requests_leaves_nothing_that_the_next_one_minds(
    demo_system, pictures, clear, tmp_path
):
    path = tmp_path / "system.yaml"
    path.write_text(to_yaml(Deployed(demo_system, {}), path))
    before = path.read_bytes()
    with running(path, "--n", "20000") as server, ThreadPoolExecutor(4) as pool:
        cut = [pool.submit(post, server, "/certify?n=20000", data=pictures[3], headers=PNG) for _ in range(4)]
        wait_until(lambda: requests.get(f"{server.url}/health", timeout=60).json()["waiting"], "a request")
        server.process.kill()
        assert server.process.wait(60) == -signal.SIGKILL
        for request in cut:
            with pytest.raises(requests.ConnectionError):
                request.result()
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {path.name: before}
    at, name = next(iter(clear.items()))
    with running(path, "--n", "400") as server:
        (answer,) = post(server, "/predict", data=pictures[at], headers=PNG).json()["answers"]
    assert (answer["answer"], answer["abstained"]) == (name, False)
