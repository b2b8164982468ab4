from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import AcesError
from engine.published import import_logs
from tests.engine.published.fabricated import Edit, cell


@pytest.mark.parametrize(
    ("part", "edit", "message"),
    [
        ("certification", cell(3, 0, "0"), r"line 3: idx is '0'; line 2 has that image already"),
        ("certification", cell(3, 0, "x"), r"line 3: idx is 'x'; expected an integer in 0..9999"),
        ("certification", cell(3, 0, "9" * 30), r"line 3: idx is '9+'; expected an integer in 0..9999"),
        ("certification", cell(4, 1, "10"), r"line 4: label is '10'; expected an integer in 0..9"),
        ("certification", cell(2, 3, "nan"), r"line 2: radius is 'nan'; expected a number"),
        ("certification", cell(2, 3, "0.946"), r"line 2: radius is '0.946'; n = 100000 draws at sigma 0.25 .* no such"),
        ("certification", cell(4, 3, "0.1"), r"line 4: radius is '0.1'; an abstention has 0"),
        ("certification", cell(2, 4, "0"), r"line 2: correct is '0'; .* say 1"),
        ("certification", cell(4, 6, "0"), r"line 4: unperturbed correct is '0'; .* say 1"),
        ("certification", cell(3, 7, "1 h"), r"line 3: time is '1 h'"),
        ("certification", cell(1, 7, "sigma"), r"the columns are .*'sigma'; expected .*'time'"),
        ("certification", lambda text: text.splitlines()[0] + "\n", r"a header and no rows"),
        ("certification", lambda text: "", r"the file is empty"),
        ("certification", lambda text: text[:-9], r"line 6: the file is cut off"),
        ("certification", lambda text: text[:-25] + "\n", r"line 6: \d cells, expected 8"),
        ("certification", lambda text: text.replace("\n", "\n\n", 2), r"line 2: 1 cells, expected 8: ''"),
        ("selection_0.37", cell(5, 0, "6001"), r"line 5: idx is '6001'; \S+_certification has '6000' there"),
        ("selection_0.37", cell(5, 4, "0:02:00"), r"line 5: time is '0:02:00'; \S+_certification has '0:01:13.206684'"),
        ("selection_0.37", cell(5, 1, "2"), r"line 5: predict is '2'; expected an integer in -1..1"),
        ("selection_0.37", lambda text: text[: text.index("6000")], r"holds 3 rows, \S+_certification 5"),
        ("selection_1.00", cell(2, 2, "0.3"), r"line 2: radius is '0.3'; after predict 1 .* is a fall"),
        ("selection_0.30", cell(2, 3, "0"), r"line 2: unperturbed predict is '0'; after predict 1 .* is a fall"),
        ("entropies", cell(3, 5, "1.2"), r"line 3: 50 percentile is '1.2'; expected a number in 0..1"),
        ("entropies", cell(3, 0, "2001"), r"line 3: idx is '2001'; \S+_certification has '2000'"),
    ],
)
def test_bad_evaluations_are_refused_with_file_line_and_value(data: Path, part: str, edit: Edit, message: str) -> None:
    path = data / "cifar10" / "consistency" / "noise_0.25" / f"cifar10_consistency_025_{part}"
    path.write_text(edit(path.read_text()))
    with pytest.raises(AcesError, match=rf"_{part}[:, ].*{message}"):
        import_logs(data)
