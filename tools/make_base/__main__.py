"""Make a base model of a family: a tiny one that paints drawn people, or an untrained one in full size.

    python -m tools.make_base OUT                                     SDXL: 64 px, below 10 MB, 50 minutes on two cores
    python -m tools.make_base OUT --family flux2-klein                FLUX.2 klein: 64 px, below 6 MB, 25 minutes
    python -m tools.make_base OUT --size full                         SDXL's exact shapes with random weights
    python -m tools.make_base OUT --family flux2-klein --size full    those of FLUX.2 klein 4B
    python -m tools.make_base OUT --family z-image --size full        those of Z-Image

OUT becomes a folder that `from_pretrained` of the family's pipeline loads. A tiny base has the module names and parts
of the real one, only fewer and narrower layers, and a VAE with factor 4 where the real one has 8. It knows the words of
`engine.demo.people` and `engine.demo.drawing`; any other word, such as a trigger word, falls apart into single letters
and means nothing to it. The full size is to measure with, not to paint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.make_base.klein_full import make_klein
from tools.make_base.klein_training import make_tiny_klein
from tools.make_base.sdxl_parts import make_sdxl
from tools.make_base.sdxl_training import make_tiny
from tools.make_base.single_file import write_single_file
from tools.make_base.tiny_parts import TinyBase
from tools.make_base.z_image_full import make_z_image

SDXL, KLEIN, Z_IMAGE = "sdxl", "flux2-klein", "z-image"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; `arguments` stand in for those of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--family", choices=(SDXL, KLEIN, Z_IMAGE), default=SDXL)
    parser.add_argument("--size", choices=("tiny", "full", "sdxl"), default="tiny", help="sdxl: full size, as before")
    parser.add_argument("--minutes", type=float, help="for training, all stages together (SDXL 50, klein 25)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pictures", type=int, help="different drawings to learn from (SDXL 20,000, klein 15,000)")
    parser.add_argument("--batch", type=int, help="(SDXL 32, klein 16)")
    parser.add_argument("--resume", type=Path, help="SDXL: a tiny base to continue from; its VAE stays unchanged")
    parser.add_argument("--single-file", type=Path, help="SDXL: also write all weights as one file with its own names")
    parser.add_argument("--new-vae", action="store_true", help="klein: train a VAE, and do not take the SDXL base's")
    options = parser.parse_args(arguments)
    if options.family != SDXL and (options.resume or options.single_file or options.size == "sdxl"):
        parser.error("--resume, --single-file and --size sdxl are for SDXL")
    if options.family != KLEIN and options.new_vae:
        parser.error("--new-vae is for flux2-klein")
    if options.family == Z_IMAGE and options.size != "full":
        parser.error("z-image is made with --size full alone")

    def say(line: str) -> None:
        print(line, flush=True)

    given = {name: getattr(options, name) for name in ("minutes", "pictures", "batch")}
    chosen = {name: value for name, value in given.items() if value is not None}
    if options.family == Z_IMAGE:
        make_z_image(options.out, seed=options.seed, say=say)
    elif options.family == KLEIN and options.size == "full":
        make_klein(options.out, seed=options.seed, say=say)
    elif options.size != "tiny":
        make_sdxl(options.out, seed=options.seed, say=say)
    elif options.family == KLEIN:
        make_tiny_klein(options.out, seed=options.seed, new_vae=options.new_vae, say=say, **chosen)
    else:
        make_tiny(options.out, seed=options.seed, resume=options.resume, say=say, **chosen)
        if options.single_file:
            write_single_file(TinyBase.load(options.out), options.single_file)


if __name__ == "__main__":
    main()
