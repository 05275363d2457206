"""``python -m tests.chaos.trainer FOLDER SECONDS SEED``: runs killed inside of what they write, resumed, compared.

The killing is ``tests.support.killing``'s: at a place drawn before, between the halves of a file or a line, before and
after a rename. Each run goes on to its end and is compared, bit for bit, with one that nobody killed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from safetensors.torch import load_file

from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.killing import campaign

MOST = 10_000


def run(folder: Path, seed: int, until: float) -> Tally:
    """Kills the trainer until that moment."""
    tally = Tally()
    found = campaign(folder, MOST, seed, until)
    tally.kills["the trainer"] = found["kills"]
    tally.held["runs that ended as if nobody had killed them"] = found["runs"] - len(
        {each.split(":")[0].split(" ")[0] for each in found["wrong"]}
    )
    tally.losses += [f"the trainer: {each}" for each in found["wrong"]]
    for path in folder.glob("james/runs/*/*/[!.]*.safetensors"):
        with loss_if_it_fails(tally, f"{path.parent.parent.name}/{path.name} is half-written"):
            load_file(path)
            tally.held["checkpoints and states that load"] += 1
    return tally


if __name__ == "__main__":
    until = time.monotonic() + float(sys.argv[2])
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[3]), until).record(), indent=1))
