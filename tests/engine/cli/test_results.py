from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cache.store import Store
from engine.records.compose import StageRuns, Then, compose, compose_chain
from engine.statistics.aces import Outcome, certify
from engine.statistics.by_class import by_class
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention, evaluate, standalone
from tests import toy
from tests.engine.cli.tables import rows
from tests.engine.published.fabricated import log_of_counts


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
    for command, place in (("smoothed", alone), ("table", names)):
        status, out, err = call(command, *place, "--convention", "paper", "--bound", "margin")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "its convention has no margin" in err
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


@pytest.fixture
def chain_store(store):
    """Three certification runs that differ, and a core run."""
    with Store(store) as opened:
        opened.put(toy.smoothed_run("toy-second", seed=1))
        opened.put(toy.smoothed_run("toy-third", seed=2))
    return store


def _later(name, theta, t=0.5, *, seed, by_votes=False):
    return Then(StageRuns(toy.smoothed_run(name, seed=seed), by_votes=by_votes), theta, t)


def test_votes_that_select_are_the_engines(call, store):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    c = compose(toy.smoothed_run(), toy.core_run(), by_votes=True)
    status, out, err = call("table", *names, "--p0", "0.6:0.9:0.15", "--format", "csv")
    assert (status, err) == (0, "")
    m = evaluate(c, [0.6, 0.75, 0.9], bound="margin")
    assert [list(row)[:3] for row in rows(out)] == [["p0", "nac", "acr"]] * 3
    assert [float(row["p0"]) for row in rows(out)] == [0.6, 0.75, 0.9]
    assert [float(row["acr"]) for row in rows(out)] == pytest.approx(m.acr.tolist(), rel=1e-5)
    status, out, err = call("outcomes", *names, "--p0", "0.7")
    assert (status, err) == (0, "")
    answer = certify(c, [0.7], bound="margin")
    assert [row["outcome"] for row in rows(out)] == [Outcome(o).label for o in answer.outcome[:, 0]]
    assert "stage" not in rows(out)[0]
    for form, starts in (("latex", "0.70 & "), ("markdown", "| 0.70 | ")):
        assert f"\n{starts}" in call("table", *names, "--p0", "0.7", "--format", form)[1]


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        (("toy-second,0.4",), [_later("toy-second", 0.4, seed=1)]),
        (("toy-second,0.2,0.3",), [_later("toy-second", 0.2, 0.3, seed=1)]),
        (
            ("toy-second", "toy-third,p0=0.7"),
            [_later("toy-second", 0.3, seed=1), _later("toy-third", 0.7, seed=2, by_votes=True)],
        ),
    ],
)
def test_chains_are_the_engines(call, chain_store, asked, then):
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", chain_store)
    options = [word for one in asked for word in ("--then", one)]
    c = compose_chain(StageRuns(toy.smoothed_run()), toy.core_run(), then)
    status, out, err = call("table", *names, *options, "--theta", "0.1,0.4", "--format", "json")
    assert (status, err) == (0, "")
    m = evaluate(c, [0.1, 0.4], bound="margin")
    assert [row["acr"] for row in json.loads(out)] == pytest.approx(m.acr.tolist())
    assert [row["nac"] for row in json.loads(out)] == pytest.approx(m.nac.tolist())
    status, out, err = call("outcomes", *names, *options, "--theta", "0.1")
    assert (status, err) == (0, "")
    answer = certify(c, [0.1], bound="margin")
    assert answer.later is not None
    said = [*map(str, range(1, c.stages + 1)), "core"]
    assert list(rows(out)[0])[-2:] == ["entropy_median", "stage"]
    assert [row["stage"] for row in rows(out)] == [said[k] for k in answer.later.stage[:, 0]]
    assert [int(row["prediction"]) for row in rows(out)] == answer.prediction()[:, 0].tolist()
    for form in ("json", "latex", "markdown"):
        assert call("outcomes", *names, *options, "--theta", "0.1", "--format", form)[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--p0", "0.5"), "p0 is 0.5; a share of votes"),
        (("--p0", "1"), "p0 is 1; a share of votes"),
        (("--p0", "nan"), "nan"),
        (("--p0", "0.7", "--theta", "0.3"), "name one of them"),
        (("--p0", "0.7", "--select", "toy-second"), "name one of them"),
        (("--p0", "0.7", "--votes", "0.3"), "--votes is the share by which a score selects"),
        (("--then", "toy-noisy,0.3"), "'toy-noisy' stands twice"),
        (("--then", "toy-second", "--then", "toy-second"), "'toy-second' stands twice"),
        (("--then", "absent,0.3"), "absent"),
        (("--then", "toy-core,0.3"), "toy-core"),
        (("--then", "toy-second,0.3,1"), "t is 1;"),
        (("--then", "toy-second,0.3,0.0001"), "draws cannot tell it from 0"),
        (("--then", "toy-second,p0=0.3"), "p0 is 0.3"),
        (("--then", "toy-else,0.3"), "share no images"),
    ],
)
def test_a_chain_that_cannot_be_is_one_line_and_status_2(call, chain_store, options, message):
    elsewhere = toy.smoothed_run("toy-else")
    with Store(chain_store) as opened:
        opened.put(replace(elsewhere, index=elsewhere.index + 1))
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", chain_store)
    for command in ("table", "outcomes"):
        theta = () if command == "table" or "--p0" in options else ("--theta", "0.3")
        status, out, err = call(command, *names, *theta, *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_outcomes_want_a_threshold_or_a_share(call, store):
    status, out, err = call("outcomes", "--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "name it with --theta, or a share of votes with --p0" in err


def test_a_chain_with_a_log_has_its_bound_and_its_votes_do_not_select(call, store):
    run = toy.smoothed_run("toy-log", seed=1)
    with Store(store) as opened:
        opened.put(replace(run, meta=replace(run.meta, extra={"source": "Cohen log"})))
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", store)
    status, _, err = call("table", *names, "--then", "toy-log,0.3")
    assert (status, err.count("\n")) == (0, 1)
    assert "'toy-log' was reconstructed from a log" in err
    for options, message in (
        (("--then", "toy-log,0.3", "--bound", "margin"), "a margin needs counts of its rivals"),
        (("--then", "toy-log,p0=0.7"), "holds only the fewest votes that print its log's radii"),
        (("--then", "toy-log", "--convention", "paper"), "has no chain and no p0"),
    ):
        status, out, err = call("table", *names, *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_votes_of_an_imported_log_select_and_those_of_an_earlier_import_are_refused(call, tmp_path):
    rng, place = np.random.default_rng(0), tmp_path / "s"
    label, top = rng.integers(0, 10, 30), rng.choice([0.4, 0.7, 0.9, 0.99], 30)[:, None]
    p = np.where(np.eye(10, dtype=bool)[label], top, (1 - top) / 9)
    counts0, counts = rng.multinomial(100, p), rng.multinomial(100_000, p)
    log = log_of_counts(tmp_path / "cifar10/net/noise_0.25", counts0, counts, label, 0.25, 0.001, "{:.3}")
    assert call("import", log, "--cache", place)[0] == 0
    with Store(place) as opened:
        run = opened.get("noise_0.25")
        meta = replace(toy.core_run("core").meta, dataset="cifar10", split=run.meta.split, num_classes=10)
        core = replace(toy.core_run(), meta=meta, index=run.index, label=label, prediction=label[::-1].copy())
        opened.put(core)
    names = ("--certify", "noise_0.25", "--core", "core", "--cache", place)
    status, out, err = call("table", *names, "--p0", "0.6:0.9:0.15", "--format", "csv")
    assert (status, err.count("\n")) == (0, 1)
    assert err.endswith("which tells of the top class alone: bound complement\n")
    m = evaluate(compose(run, core, by_votes=True), [0.6, 0.75, 0.9])
    assert [float(row["acr"]) for row in rows(out)] == pytest.approx(m.acr, rel=1e-6)
    assert [float(row["nac"]) for row in rows(out)] == pytest.approx(m.nac)
    status, out, err = call("outcomes", *names, "--p0", "0.8")
    assert status == 0
    assert {"certified", "core"} <= {row["outcome"] for row in rows(out)}
    extra = {name: value for name, value in run.meta.extra.items() if name != "most_votes"}
    with Store(place) as opened:
        opened.put(replace(run, meta=replace(run.meta, extra=extra), class_count_high=None), replace=True)
    for command in ("table", "outcomes"):
        status, out, err = call(command, *names, "--p0", "0.8")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: 'noise_0.25' holds only the fewest votes that print its log's radii")
    assert call("import", log, "--cache", place)[0] == 2
    assert call("import", log, "--replace", "--cache", place)[0] == 0
    assert call("table", *names, "--p0", "0.8")[0] == 0


def test_a_table_by_class_has_the_engines_rates_with_images_and_intervals(call, store):
    of = "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0.3", "--cache", store
    status, out, err = call("table", *of, "--by", "class", "--radii", "0.25", "--format", "csv")
    assert (status, err) == (0, "")
    c = compose(toy.smoothed_run(), toy.core_run())
    expected = by_class(c, 0.3, [0.25], 0.001, Correction.INTERSECTION_UNION, bound=Bound.MARGIN)
    table = rows(out)
    assert [int(row["class"]) for row in table] == expected.label.tolist()
    assert [int(row["images"]) for row in table] == expected.images.tolist()
    assert [float(row["cert_0.25"]) for row in table] == pytest.approx(expected.certified.value[:, 0])
    assert [float(row["nac_low"]) for row in table] == pytest.approx(expected.natural.low)
    assert all(sum(float(row[o.label]) for o in Outcome) == pytest.approx(100) for row in table)
    status, out, _ = call("table", *of, "--by", "confusion", "--format", "csv")
    counts = [[int(value) for value in list(row.values())[2:]] for row in rows(out)]
    assert counts == expected.confusion.tolist()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "class"), "must name one"),
        (("--by", "class", "--theta", "0.1,0.3"), "must name one"),
        (("--by", "confusion", "--theta", "0.3", "--convention", "paper"), "no tables by class"),
        (("--by", "class", "--theta", "7"), "theta is 7"),
        (("--by", "colour", "--theta", "0.3"), "colour"),
    ],
)
def test_a_table_by_class_that_cannot_be_is_refused_in_one_line(call, store, words, said):
    status, out, err = call("table", "--certify", "toy-noisy", "--core", "toy-core", *words, "--cache", store)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert said in err
