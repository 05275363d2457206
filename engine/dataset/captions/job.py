"""The job that writes captions: by template, tagger, a model that writes sentences, or a server's vision model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from engine import events
from engine.counting import many
from engine.dataset.captions.cleanup_rules import DOUBTFUL, Cleaner
from engine.dataset.captions.image_facts import Known, keep_photo_words, known_images
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.captions.parts import led, parts_of_prose
from engine.dataset.captions.start import server_address
from engine.dataset.captions.template import from_template, template_caption
from engine.dataset.captions.vision_server import NoCaption
from engine.dataset.files.image_faces import faces_of_images
from engine.dataset.files.layout import DatasetFolder, TrainingImage
from engine.dataset.files.manifest import Manifest
from engine.errors import DatasetError, LimnerError
from engine.faces.photo.loading import open_upright
from engine.jobs.worker import Context
from engine.llm.server import project_server
from engine.project import Project
from engine.settings import Captioner, Settings, Told, with_changes

if TYPE_CHECKING:
    from engine.dataset.captions.wd14 import Tagger

Tell = Callable[[events.Event], None]


@dataclass(frozen=True)
class Said:
    """What a captioner said of one image."""

    parts: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """What makes the image doubtful: a second person, sunglasses."""


class Looker(Protocol):
    """Who looks at a picture and says what is there, in parts."""

    def look(self, image: Image.Image) -> Said:
        """What an upright RGB picture shows."""
        ...


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
    captioner = Captioner(args["captioner"])
    write_captions(project, captioner, overwrite, images, settings, context.emit, context.should_stop)


def write_captions(
    project: Project,
    captioner: Captioner,
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
        captioner: who writes them.
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
    if captioner is Captioner.TEMPLATE:
        _learn_words(project, settings, tell)
    manifest = folder.manifest()
    entries = {manifest.file_name(entry.number): entry for entry in manifest.entries}
    asked = [each for each in folder.images() if images is None or each.path.name in images]
    todo = [each for each in asked if overwrite or from_template(each.caption, entries.get(each.path.name))]
    report = CaptionReport(kept=len(asked) - len(todo))
    if not todo:
        return report
    known = known_images(project, manifest)
    looker = looker_of(project, captioner, settings, should_stop)
    tell(events.Phase("captions", 0, len(todo)))
    with project.store() as store:
        journal = CaptionJournal(store, folder)
        action = journal.begin(f"captions by {captioner.value}")
        for number, image in enumerate(todo, start=1):
            if should_stop():
                report.stopped = True
                break
            try:
                text = _text(image, looker, settings, known.get(image.path.name, Known()), tell)
            except NoCaption as refusal:
                report.refused.append(image.path.name)
                tell(events.Warning(f"{image.path.name} keeps its caption: {refusal.what}"))
                tell(events.Phase("captions", number, len(todo)))
                continue
            if journal.add(action, image.path.name, text):
                report.written.append(image.path.name)
            if looker is None:
                manifest = _remembered(manifest, image, text)
            tell(events.Phase("captions", number, len(todo)))
    if looker is None:
        folder.save_manifest(manifest)
    if report.refused:
        tell(
            events.Warning(
                f"no caption for {len(report.refused)} of {many(len(todo), 'picture')}: what was there stays"
            )
        )
    return report


def looker_of(
    project: Project, captioner: Captioner, settings: Settings, should_stop: Callable[[], bool]
) -> Looker | None:
    """Loads who looks; None for the template, which does not look."""
    captions = settings.captions
    match captioner:
        case Captioner.TEMPLATE:
            return None
        case Captioner.WD14:
            from engine.dataset.captions.wd14 import Tagger

            return _Tagging(Tagger(captions.wd14, captions.threshold, captions.mcut), settings)
        case Captioner.BLIP:
            from engine.dataset.captions.blip_florence import Blip

            return _Telling(Blip(captions.blip).say, settings)
        case Captioner.FLORENCE:
            from engine.dataset.captions.blip_florence import Florence

            return _Telling(Florence(captions.florence, captions.florence_task).say, settings)
        case Captioner.SERVER:
            from engine.dataset.captions.vision_server import VisionModel

            server = project_server(project.root, server_address(settings), settings.language_model.silent_seconds)
            return _Telling(VisionModel(server, captions.model, settings.person, should_stop).say, settings)


class _Tagging:
    def __init__(self, tagger: Tagger, settings: Settings) -> None:
        self._tagger = tagger
        self._cleaner = Cleaner(settings.captions)

    def look(self, image: Image.Image) -> Said:
        tags = [tag.name for tag in self._tagger.tags(image)]
        return Said(tuple(self._cleaner.parts(tags)), tuple(tag for tag in tags if DOUBTFUL.fullmatch(tag)))


class _Telling:
    def __init__(self, say: Callable[[Image.Image], str], settings: Settings) -> None:
        self._say = say
        self._cleaner = Cleaner(settings.captions)
        self._person = settings.person

    def look(self, image: Image.Image) -> Said:
        text = self._cleaner.sentence(self._say(image))
        return Said(tuple(self._cleaner.parts(parts_of_prose(text, self._person))))


def _text(image: TrainingImage, looker: Looker | None, settings: Settings, known: Known, tell: Tell) -> str:
    """The caption of one image: the person's words, what is measured, then what is seen."""
    if looker is None:
        return template_caption(settings, known)
    try:
        said = looker.look(open_upright(image.path))
    except NoCaption:
        raise
    except LimnerError as error:
        raise DatasetError(f"{image.path.name}: {error.what}", error.fix) from error
    if said.doubts:
        tell(events.Warning(f"{image.path.name} may be no good: {', '.join(said.doubts)}", subject=str(image.path)))
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
        tell(events.Warning(f"the library's labels are not known: {error.what}", subject=url))
        return
    with project.store() as store:
        keep_photo_words(store, words)
