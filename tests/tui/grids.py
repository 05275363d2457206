"""A project with a grid for the tests of its screen: some cells painted, one being painted, some waiting."""

from __future__ import annotations

from random import Random

from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import GRETA, JAMES
from engine.pictures.gallery.votes import Votes
from engine.pictures.grid.painting import cells_of, kept, make_grid
from engine.pictures.grid.plan import Grid, by_dearness, grid_folder, orders_of
from engine.pictures.orders.queue import Queue
from engine.project import Project
from tests.support.story import with_run


def with_grid(project: Project, painted: int = 14) -> Grid:
    """Two checkpoints and none by three strengths, for two prompts; ``painted`` of its 14 pictures are there."""
    job = with_run(project, done=True)
    for number in (1, 2):
        # Contents of their own, as checkpoints have.
        (job.path / "checkpoints" / f"jx265-{number:06}.safetensors").write_bytes(bytes([number]) * 100)
    prompts = ["photo of {trigger} {class}, soft window light", "{trigger} {class} on a pier, golden hour"]
    grid = kept(project, make_grid(project, job, ["checkpoint", "strength=0.6,0.8,1.0"], prompts=prompts, name="story"))
    orders = orders_of(project, grid)
    folder = grid_folder(project, grid)
    folder.mkdir(parents=True)
    with project.store() as store:
        queue = Queue(store)
        queue.add_missing(orders[place] for place in by_dearness(grid, orders))
        for number in range(painted):
            picture = queue.take()
            assert picture is not None
            path = folder / f"{number}.png"
            who = JAMES if picture.lora else GRETA
            draw_portrait(who, random_scene(Random(7)), 128).save(path)
            queue.finish(picture.id, path, 4.0)
        queue.take()
    return grid


def with_votes(project: Project, grid: Grid) -> None:
    """Every picture of the second checkpoint at 0.8 is liked, those of the first are not."""
    with project.store() as store:
        for cell in cells_of(project, grid).values():
            if cell.painted and cell.picture is not None and cell.place.x:
                Votes(store).cast(cell.picture, 1 if cell.place.x == 2 and cell.place.y == 1 else -1)
