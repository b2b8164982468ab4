from __future__ import annotations

import pytest

from engine.errors import AcesError
from engine.units import check_radii, check_sigma, is_sigma


def test_noise_above_two_is_questioned():
    check_sigma(2.0, "a log")
    with pytest.raises(AcesError, match=r"a log: sigma 10 is more than 2.*10 of 255 would be 0\.0392"):
        check_sigma(10, "a log")


def test_radii_beyond_the_farthest_images_are_questioned():
    check_radii(55.4, 3072, "a log")
    with pytest.raises(AcesError, match=r"a log: a radius of 56 is more than 55\.4"):
        check_radii(56, 3072, "a log")


@pytest.mark.parametrize("sigma", [1e-320, 1e-7, 1e7, 1e308])
def test_what_is_no_noise_in_any_units_is_refused(sigma):
    assert not is_sigma(sigma)
    with pytest.raises(AcesError, match=r"--sigma: sigma .* is no noise: it lies between 1e-06 and 1e\+06"):
        check_sigma(sigma, "--sigma")
    check_sigma(0, "--sigma")  # of a training without noise
