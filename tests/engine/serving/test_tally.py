from __future__ import annotations

from engine.serving.tally import ServerTally


def test_requests_outcomes_draws_and_abstentions_are_counted():
    tally = ServerTally(lambda: 3)
    tally.request("/predict", 200, 0.02)
    tally.request("/predict", 429, 0.001)
    for outcome, draws in (("core", 25), ("abstain", 400), ("certification", 50), ("core", 25)):
        tally.image(outcome, draws)
    lines = tally.text().decode().splitlines()
    for line in (
        'aces_requests_total{path="/predict",status="200"} 1.0',
        'aces_requests_total{path="/predict",status="429"} 1.0',
        'aces_images_total{outcome="core"} 2.0',
        "aces_draws_total 500.0",
        "aces_abstention_rate 0.25",
        "aces_waiting_images 3.0",
        'aces_request_seconds_count{path="/predict"} 2.0',
    ):
        assert line in lines
    assert "aces_abstention_rate 0.0" in ServerTally(lambda: 0).text().decode()
