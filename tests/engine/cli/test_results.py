from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cache.store import Store
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention, evaluate, standalone
from tests import toy
from tests.engine.cli.tables import rows


def test_table_has_the_contract_columns_and_the_engines_numbers(call, store):
    status, out, _ = call("table", "--certify", "toy-n", "--core", "toy-c", "--theta", "0:1:0.25",
                          "--radii", "0,0.25,1.0", "--format", "csv", "--cache", store)  # fmt: skip
    assert status == 0
    table = rows(out)
    assert list(table[0]) == [
        "theta",
        "nac",
        "acr",
        *("cert_0", "cert_0.25", "cert_1.0"),
        *("select_0", "select_0.25", "select_1.0"),
    ]
    assert [float(row["theta"]) for row in table] == [0, 0.25, 0.5, 0.75, 1]
    expected = evaluate(
        compose(toy.smoothed_run(), toy.core_run()), [0, 0.25, 0.5, 0.75, 1], radii=[0, 0.25, 1], bound="margin"
    )
    assert [float(row["acr"]) for row in table] == pytest.approx(expected.acr, rel=1e-8)
    assert [float(row["cert_0.25"]) for row in table] == pytest.approx(expected.certified_accuracy[:, 1])


def test_outcomes_have_one_row_an_image_and_radii_rounded_down(call, store):
    status, out, _ = call("outcomes", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0.3",
                          "--cache", store)  # fmt: skip
    assert status == 0
    assert out.splitlines()[0] == (
        "index,label,outcome,prediction,radius,radius_certify,radius_select,core_prediction,natural_prediction,"
        "entropy_median"
    )
    answer = certify(compose(toy.smoothed_run(), toy.core_run()), [0.3], 0.001, bound="margin")
    table = rows(out)
    assert [row["outcome"] for row in table] == [Outcome(o).label for o in answer.outcome[:, 0]]
    shown, exact = np.array([float(row["radius"]) for row in table]), answer.radius[:, 0]
    assert (shown <= exact).all()
    assert shown == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(("form", "starts"), [("latex", r"(\d\.\d+) & "), ("markdown", r"\| (\d\.\d+) \| ")])
def test_tables_for_people_have_a_line_for_every_threshold(call, store, form, starts):
    status, out, _ = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0,0.5",
                          "--format", form, "--cache", store)  # fmt: skip
    assert status == 0
    assert re.findall(f"^{starts}", out, re.MULTILINE) == ["0.00", "0.50"]


def test_json_holds_every_threshold(call, store):
    status, out, _ = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0,0.5",
                          "--format", "json", "--cache", store)  # fmt: skip
    assert status == 0
    assert [row["theta"] for row in json.loads(out)] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--theta", "1.5"], "theta is 1.5"),
        (["--theta", "0:1:0"], "positive step"),
        (["--theta", "high"], "'high' is not a number"),
        (["--alpha", "0"], "alpha is 0"),
        (["--alpha", "1"], "alpha is 1"),
        (["--radii", "-1"], "radius -1"),
        (["--certify", "absent"], "absent"),
        (["--correction", "holm"], "holm"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(call, store, arguments, message):
    status, out, err = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--cache", store, *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err


def test_runs_without_common_images_do_not_compose(call, tmp_path):
    import dataclasses

    core = toy.core_run()
    with Store(tmp_path / "s") as opened:
        opened.put(toy.smoothed_run())
        opened.put(dataclasses.replace(core, index=core.index + 1))
    status, _, err = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--cache", tmp_path / "s")
    assert status == 2
    assert "share no images" in err


@pytest.mark.usefixtures("toy_dataset")
def test_a_table_warns_where_n_was_changed_after_looking(call, tmp_path):
    config, place = toy.config(tmp_path), tmp_path / "s"
    for n in (200, 300):
        assert call("precompute", config, "--n", n, "--cache", place)[0] == 0
        _, _, err = call("table", "--certify", "noisy", "--core", "plain", "--theta", "1", "--cache", place)
    assert "n of 'noisy' was changed after results could be seen (200, then 300)" in err


def test_a_share_of_the_votes_is_the_engines(call, store):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    c = compose(toy.smoothed_run(), toy.core_run())
    for t in (0.1, 0.8):
        status, out, err = call("table", *names, "--theta", "0.2,0.5", "--votes", t, "--format", "csv")
        assert (status, err) == (0, "")
        m = evaluate(c, [0.2, 0.5], t=t, bound="margin")
        assert [(float(row["nac"]), float(row["acr"])) for row in rows(out)] == [
            (pytest.approx(nac, rel=1e-5), pytest.approx(acr, rel=1e-5)) for nac, acr in zip(m.nac, m.acr, strict=True)
        ]
        _, out, _ = call("outcomes", *names, "--theta", "0.4", "--votes", t)
        answer = certify(c, [0.4], t=t, bound="margin")
        assert [row["outcome"] for row in rows(out)] == [Outcome(o).label for o in answer.outcome[:, 0]]
    half = call("table", *names, "--votes", "0.5", "--format", "csv")
    assert half == call("table", *names, "--format", "csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--votes", "0"), "t is 0; a share of votes lies strictly between 0 and 1"),
        (("--votes", "nan"), "t is nan; a share"),
        (("--votes", "0.0001"), "draws cannot tell it from 0"),
    ],
)
def test_a_share_that_cannot_be_is_one_line_and_status_2(call, store, options, message):
    for command in (("table",), ("outcomes", "--theta", "0.3")):
        names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
        status, out, err = call(*command, *names, *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err
    status, _, err = call("table", *names, "--votes", "0.3", "--convention", "paper")
    assert (status, err.count("\n")) == (2, 1)
    assert "asks for a majority" in err


def test_a_margin_is_the_engines(call, store):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    c = compose(toy.smoothed_run(), toy.core_run())
    status, out, err = call("table", *names, "--theta", "0.5,1", "--bound", "margin", "--format", "csv")
    assert (status, err) == (0, "")
    m = evaluate(c, [0.5, 1.0], bound="margin")
    assert [float(row["acr"]) for row in rows(out)] == pytest.approx(m.acr.tolist(), rel=1e-5)
    _, out, _ = call("outcomes", *names, "--theta", "0.9", "--bound", "margin")
    answer = certify(c, [0.9], bound="margin")
    assert [row["outcome"] for row in rows(out)] == [Outcome(o).label for o in answer.outcome[:, 0]]
    _, out, _ = call("smoothed", "--certify", "toy-noisy", "--bound", "margin", "--format", "csv", "--cache", store)
    assert float(rows(out)[0]["acr"]) == pytest.approx(standalone(toy.smoothed_run(), bound="margin").acr, rel=1e-5)
    for command in (("table",), ("outcomes", "--theta", "0.9")):
        plain = call(*command, *names, "--format", "csv")
        assert plain == call(*command, *names, "--bound", "margin", "--format", "csv")
        assert plain != call(*command, *names, "--bound", "complement", "--format", "csv")


def test_the_papers_terms_have_the_complement(call, store):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store, "--format", "csv")
    terms = ("--bound", "complement", "--correction", "bonferroni")
    c = compose(toy.smoothed_run(), toy.core_run())
    m = evaluate(c, np.linspace(0, 1, 11), correction=Correction.BONFERRONI, convention=Convention.PAPER)
    printed = call("table", *names, "--convention", "paper")
    assert [float(row["acr"]) for row in rows(printed[1])] == pytest.approx(m.acr.tolist(), rel=1e-5)
    assert printed == call("table", *names, "--convention", "paper", *terms)
    other = call("table", *names, "--convention", "paper", "--correction", "intersection-union")
    assert other != printed
    for command in (("table",), ("outcomes", "--theta", "0.9")):
        assert call(*command, *names, *terms[2:]) == call(*command, *names, *terms)
    alone = names[:2] + names[4:]
    paper = call("smoothed", *alone, "--convention", "paper")
    assert paper == call("smoothed", *alone, "--bound", "complement")
    assert paper != call("smoothed", *alone)


def test_runs_of_a_log_have_the_complement_and_it_is_said_once(call, tmp_path):
    run = toy.smoothed_run()
    with Store(tmp_path / "s") as opened:
        opened.put(replace(run, meta=replace(run.meta, extra={"source": "Cohen log"})))
        opened.put(toy.core_run())
    place = ("--cache", tmp_path / "s")
    names = ("--certify", "toy-noisy", *place)
    for command in (("table", "--core", "toy-core"), ("outcomes", "--core", "toy-core", "--theta", "1"), ("smoothed",)):
        status, out, err = call(*command, *names)
        assert (status, err.count("\n")) == (0, 1)
        assert "was reconstructed from a log, which tells of the top class alone: bound complement" in err
        assert (0, out, "") == call(*command, *names, "--bound", "complement")
        status, _, err = call(*command, *names, "--bound", "margin")
        assert (status, err.count("\n")) == (2, 1)
        assert "a margin needs counts of its rivals" in err
    status, _, err = call("table", "--core", "toy-core", *names, "--convention", "paper")
    assert (status, err) == (0, "")


def test_a_bound_that_cannot_be_is_one_line_and_status_2(call, store):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    status, _, err = call("table", *names, "--bound", "margin", "--convention", "paper")
    assert (status, err.count("\n")) == (2, 1)
    assert "its convention has no margin" in err
    status, _, err = call("table", *names, "--bound", "exact")
    assert status == 2
    assert "complement" in err
