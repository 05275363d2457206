"""The painter's queue: stars of pictures."""

from __future__ import annotations

import pytest

from engine.errors import PictureError
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Queue
from engine.project import Project


def test_stars_stay_across_restarts_and_can_be_taken_back(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        (picture,) = queue.add([order_for(project, "photo of jx265 man")])
        assert picture.rating == 0
        queue.finish(picture.id, picture.path, 1.0)
        assert queue.rate(picture.id, 4).rating == 4
    with project.store() as store:
        assert Queue(store).picture(picture.id).rating == 4
        assert Queue(store).rate(picture.id, 0).rating == 0
        assert [each.rating for each in Queue(store).pictures()] == [0]


@pytest.mark.parametrize("stars", [-1, 6])
def test_only_up_to_five_stars_are_given(project: Project, stars: int) -> None:
    with project.store() as store:
        queue = Queue(store)
        (picture,) = queue.add([order_for(project, "photo of jx265 man")])
        queue.finish(picture.id, picture.path, 1.0)
        with pytest.raises(PictureError, match="not a valid rating"):
            queue.rate(picture.id, stars)
        assert queue.picture(picture.id).rating == 0


def test_what_is_not_painted_cannot_be_rated(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        (picture,) = queue.add([order_for(project, "photo of jx265 man")])
        for number in (picture.id, 99):
            with pytest.raises(PictureError, match="not painted"):
                queue.rate(number, 3)
