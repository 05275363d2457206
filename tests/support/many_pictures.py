"""A project in which very many pictures were painted."""

from __future__ import annotations

from PIL import Image

from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Queue
from engine.project import Project


def many_pictures(project: Project, count: int) -> None:
    """Writes rows of painted pictures; three small files stand for all of them."""
    project.pictures.mkdir()
    with project.store() as store:
        first = Queue(store).add([order_for(project, "photo of jx265 man, oil", seed=1)])[0]
        for number in range(3):
            Image.new("RGB", (96, 96), ("teal", "navy", "tan")[number]).save(project.pictures / f"{number}.png")
        Queue(store).finish(first.id, project.pictures / "0.png", 1.0)
        with store.change() as change:
            change.execute(
                "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO pictures (id, t, state, priority, prompt, negative, lora, strength, seed, steps,"
                " guidance, sampler, width, height, path, seconds, rating, place, details)"
                " SELECT i, t + i, state, priority, prompt || i, negative, '/r/checkpoints/jx265-00000' || i % 9"
                " || '.safetensors', 0.8, i, steps, guidance, sampler, 1024, 1024, ? || i % 3 || '.png', 1.0,"
                " i % 6, i, details FROM n, pictures WHERE id = ?",
                (count, f"{project.pictures}/", first.id),
            )
