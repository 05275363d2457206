"""How well the likeness of drawn people tells them apart."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from engine.demo.identity import WEIGHTS, DrawnIdentity, fit, jittered_portrait
from engine.demo.people import CAST, random_person


@pytest.mark.long
def test_it_recognises_strangers_that_it_was_not_fitted_on() -> None:
    identity, rng = DrawnIdentity.load(), Random(5)
    strangers = [random_person(rng) for _ in range(60)]
    known = np.stack([identity.centre([jittered_portrait(one, rng) for _ in range(8)]) for one in strangers])
    scores = np.stack([identity.embed([jittered_portrait(one, rng) for _ in range(4)]) @ known.T for one in strangers])
    right = np.arange(60)
    same = scores[right, :, right]
    other = scores[~np.eye(60, dtype=bool).reshape(60, 1, 60).repeat(4, axis=1)]
    assert (scores.argmax(axis=2) == right[:, None]).mean() > 0.9
    assert same.mean() > 0.94
    assert abs(other.mean()) < 0.1


def test_nobody_in_the_cast_is_taken_for_another() -> None:
    identity, rng = DrawnIdentity.load(), Random(6)
    known = np.stack([identity.centre([jittered_portrait(one, rng) for _ in range(8)]) for one in CAST])
    for number, person in enumerate(CAST):
        scores = identity.embed([jittered_portrait(person, rng) for _ in range(12)]) @ known.T
        assert (scores.argmax(axis=1) == number).all()
        assert scores[:, number].min() > 0.8
    assert (known @ known.T - np.eye(len(CAST))).max() < 0.7


def test_embeddings_are_unit_vectors_one_a_picture() -> None:
    identity, rng = DrawnIdentity.load(), Random(7)
    pictures = [jittered_portrait(person, rng).resize((side, side)) for person in CAST for side in (48, 512)]
    embedded = identity.embed(pictures)
    assert embedded.shape == (12, 24)
    assert np.allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    assert identity.embed([]).shape == (0, 24)


def test_the_measure_is_small_and_can_be_fitted_anew(tmp_path: Path) -> None:
    assert WEIGHTS.stat().st_size < 500_000
    fitted = fit(people=26, pictures=8)
    fitted.save(tmp_path / "own.safetensors")
    assert np.array_equal(DrawnIdentity.load(tmp_path / "own.safetensors").matrix, fitted.matrix)
