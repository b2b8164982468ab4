from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from engine.arrays import ABSTAIN
from engine.single_image.messages import Attack, Judged
from tests import ROOT


@pytest.mark.parametrize(("before", "after", "held"), [(3, 3, True), (3, ABSTAIN, True), (3, 4, False)])
def test_an_answer_that_became_uncertain_is_not_another(before, after, held):
    judged = [Judged(1_000, 900, 900, answer, 3) for answer in (before, after)]
    found = Attack(np.zeros((1, 2, 2), np.float32), 0.1, "class", *judged)
    assert found.held is held
    assert pickle.loads(pickle.dumps(found)).after == judged[1]


def test_messages_are_read_without_torch():
    code = "import sys, engine.single_image.messages; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
