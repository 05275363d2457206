"""The job that writes captions: by template, tagger, a model that writes sentences, or a server's vision model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine import events
from engine.counting import many
from engine.dataset.captions.captioner import CaptionModel, NoCaption
from engine.dataset.captions.image_facts import Known, keep_photo_words, known_images
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.parts import led
from engine.dataset.captions.registry import captioner as find_captioner
from engine.dataset.captions.template import from_template, template_caption
from engine.dataset.files.image_faces import faces_of_images
from engine.dataset.files.layout import DatasetFolder, TrainingImage
from engine.dataset.files.manifest import Manifest
from engine.errors import DatasetError, LimnerError
from engine.faces.photo.loading import open_upright
from engine.jobs.worker import Context
from engine.project import Project
from engine.settings import Settings, Told, with_changes

Tell = Callable[[events.Event], None]


@dataclass
class CaptionReport:
    """What a captioner did."""

    written: list[str] = field(default_factory=list)
    """The files' names."""
    kept: int = 0
    """How many captions were there already and stayed."""
    refused: list[str] = field(default_factory=list)
    """Pictures that the model wrote no caption of: theirs stay as they were."""
    stopped: bool = False


def work(context: Context) -> None:
    """The job: the order names the captioner, whether captions are written over, and the images."""
    args = context.args
    project = Project(context.project)
    settings = with_changes(project.settings, args.get("changes") or {})
    images, overwrite = args.get("images"), bool(args.get("overwrite"))
    write_captions(project, args["captioner"], overwrite, images, settings, context.emit, context.should_stop)


def write_captions(
    project: Project,
    captioner: str,
    overwrite: bool = False,
    images: Sequence[str] | None = None,
    settings: Settings | None = None,
    tell: Tell = lambda _event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CaptionReport:
    """Writes captions where there are none or the template's, and all of them with ``overwrite``. One undo takes
    all of it back; a kill loses the one that was being written, and the next time goes on after the last.

    Args:
        project: the project, its dataset built.
        captioner: the name of who writes them, of ``engine.dataset.captions.registry``.
        overwrite: also those that a person or a model wrote.
        images: file names; None: all.
        settings: what holds this time; None: the project's.
        tell: gets ``phase`` events named ``captions``, and a ``warning`` for every image that is doubtful.
        should_stop: asked before every image.

    Raises:
        DatasetError: a model or an image can't be opened, or a caption can't be written. A model that refuses to write
            one is told of, and asked for the next.
        PromptError: the server can't be asked.
    """
    folder = DatasetFolder(project)
    settings = settings or project.settings
    writer = find_captioner(captioner)
    if writer.load is None:
        _learn_words(project, settings, tell)
    manifest = folder.manifest()
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    asked = [each for each in folder.images() if images is None or each.path.name in images]
    todo = [each for each in asked if overwrite or from_template(each.caption, entries.get(each.path.name))]
    report = CaptionReport(kept=len(asked) - len(todo))
    if not todo:
        return report
    known = known_images(project, manifest)
    model = writer.load(settings, project.root, should_stop) if writer.load is not None else None
    tell(events.Phase("captions", 0, len(todo)))
    with project.store() as store:
        journal = CaptionJournal(store, folder)
        action = journal.begin(f"captions by {captioner}")
        for number, image in enumerate(todo, start=1):
            if should_stop():
                report.stopped = True
                break
            try:
                text = _text(image, model, settings, known.get(image.path.name, Known()), tell)
            except NoCaption as refusal:
                report.refused.append(image.path.name)
                tell(events.Warning(f"{image.path.name} keeps its caption: {refusal.what}"))
                tell(events.Phase("captions", number, len(todo)))
                continue
            if journal.add(action, image.path.name, text):
                report.written.append(image.path.name)
            if model is None:
                manifest = _remembered(manifest, image, text)
            tell(events.Phase("captions", number, len(todo)))
    if model is None:
        folder.save_manifest(manifest)
    if report.refused:
        tell(
            events.Warning(
                f"no caption for {len(report.refused)} of {many(len(todo), 'picture')}: the old caption stays"
            )
        )
    return report


def _text(image: TrainingImage, model: CaptionModel | None, settings: Settings, known: Known, tell: Tell) -> str:
    """The caption of one image: the person's words, what is measured, then what is seen."""
    if model is None:
        return template_caption(settings, known)
    try:
        said = model.caption(open_upright(image.path))
    except NoCaption:
        raise
    except LimnerError as error:
        raise DatasetError(f"{image.path.name}: {error.what}", error.fix) from error
    if said.doubts:
        tell(events.Warning(f"{image.path.name} looks doubtful: {', '.join(said.doubts)}", subject=str(image.path)))
    told = [each for each in settings.captions.template if each in (Told.FRAMING, Told.VIEW)]
    return led(settings.person, [*known.words(told), *said.parts])


def _remembered(manifest: Manifest, image: TrainingImage, text: str) -> Manifest:
    """The manifest knows what the template wrote, so that it can be told from what a person did."""
    entry = next((each for each in manifest.entries if manifest.file_name(each.number) == image.path.name), None)
    return manifest.with_entry(entry.captioned(text)) if entry is not None else manifest


def _learn_words(project: Project, settings: Settings, tell: Tell) -> None:
    """Asks the library for labels and places of the kept faces' photos. Without the library it goes on with what is
    known from before."""
    from engine.library.address import parse_address
    from engine.library.password import find_password
    from engine.library.registry import connect

    url = settings.library.url
    manifest = DatasetFolder(project).manifest()
    if not url or not manifest.entries or not {Told.LABELS, Told.PLACE} & set(settings.captions.template):
        return
    with project.store() as store:
        photos = {face.photo_uid for face in faces_of_images(store, manifest).values()}
    try:
        password = find_password(parse_address(url, project.root), project.root)
        with connect(settings.library, password, project.root) as library:
            for caution in library.cautions():
                tell(events.Warning(caution))
            words = list(library.words(photos))
    except LimnerError as error:
        tell(events.Warning(f"the library's labels can't be read: {error.what}", subject=url))
        return
    with project.store() as store:
        keep_photo_words(store, words)
