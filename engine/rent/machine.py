"""The machine that a run is followed on, as its follower asks for it: made ready, watched, ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from engine import __version__, events
from engine.errors import LimnerError
from engine.events import JobState
from engine.jobs.worker import Context
from engine.remote.boxes import Box
from engine.remote.check import doctor_there
from engine.remote.install import install
from engine.remote.limner_there import LimnerThere
from engine.remote.ssh import BoxUnreachable, Ssh
from engine.rent.access import box_of, prove
from engine.rent.lease import HEARTBEAT, Lease, start_script, trial_command
from engine.rent.ledger import Rental, Stage, change, rentals_for
from engine.rent.order import DIRECTORY, RentOrder
from engine.rent.provider import Instance, InstanceState, KeyMissing, Provider, RentError, SelfEnd
from engine.rent.renting import LOOK_SECONDS, Renting
from engine.rent.telling import Telling

TICK_SECONDS = 60.0
"""How often a heartbeat goes there, and how often the provider is asked while the line is cut."""

FETCH_SECONDS, FETCH_SHARE = 600.0, 0.1
"""That the end of a run is before the machine's own, so that its last files come home; of a short lease a share."""

LEAST_HOURS = 0.001
"""That a run is given even so."""


class Heartbeat(threading.Thread):
    """Touches a file there again and again, for as long as this process lives.

    Args:
        every: seconds.
    """

    def __init__(self, every: float) -> None:
        super().__init__(name="limner-heartbeat", daemon=True)
        self._every = every
        self.box: Box | None = None
        """The machine; None: there is none yet."""

    def run(self) -> None:
        """Until the process ends; a line that is cut is the follower's to tell of."""
        while True:
            if self.box is not None:
                with suppress(LimnerError):
                    Ssh(self.box).run(["touch", HEARTBEAT], seconds=30)
            time.sleep(self._every)


class RentedMachine:
    """One run's machine.

    Args:
        context: the job.
        order: what was ordered.
        provider: who rents it out.
    """

    def __init__(self, context: Context, order: RentOrder, provider: Provider) -> None:
        self._order, self._provider, self._run = order, provider, context.folder.path
        self._telling = Telling(context)
        self._renting = Renting(self._run, order, provider, self._telling)
        self.name = f"{order.offer.card} ({order.offer.provider})"
        self._heartbeat: Heartbeat | None = None
        self._key_told = False
        self._ticked = 0.0
        self._ends: float | None = None
        self._own_hours = context.args["settings"]["training"].get("budget_hours")

    # What the follower asks

    def box(self) -> Box:
        """The machine, ready to be asked; rented where there is none yet.

        Raises:
            BoxUnreachable: it was ready, and can't be reached now.
            RentError: none can be had, or it is gone.
            JobError: it is to stop before it began.
        """
        rental = self._renting.last()
        if rental is not None and rental.prepared:
            return self._known(rental)
        return self._prepare(*self._renting.ready())

    def settings(self) -> Mapping[str, Any]:
        """What its run has besides: its price, and an end before the machine's own."""
        rental = self._rented()
        left = rental.ends - time.time()
        hours = max(LEAST_HOURS, (left - min(FETCH_SECONDS, FETCH_SHARE * left)) / 3600)
        hours = min(hours, self._own_hours or hours)
        return {"training.price_per_hour": rental.price, "training.budget_hours": round(hours, 4)}

    def look(self, lost: bool) -> None:
        """Whether its time is over, and where the line is cut whether it is there. Raises RentError where it is not."""
        if time.monotonic() - self._ticked < min(TICK_SECONDS, 3 * self._order.lease.look):
            return
        self._ticked = time.monotonic()
        rental = self._rented()
        if self._ends is None:
            # From here on by a clock that nobody sets.
            self._ends = time.monotonic() + rental.ends - time.time()
        if time.monotonic() > self._ends:
            raise RentError(f"the time of {self.name} is over", "what came home is whole; begin another: limner rent")
        if lost:
            self._check_life(rental)

    def known_end(self) -> events.Job | None:
        """How the run ended, where it is recorded."""
        rental = self._renting.last()
        if rental is None or rental.outcome is None:
            return None
        return events.Job(JobState(rental.outcome["state"]), reason=rental.outcome.get("reason"))

    def leave(self, there: LimnerThere | None, ended: events.Job) -> None:
        """Records how the run ended, and ends the machine."""
        self._over(ended.state, ended.reason)

    def give_up(self, error: LimnerError) -> None:
        """Records why the run can't be followed, and ends the machine."""
        self._over(JobState.FAILED, error.one_line())

    # What there is

    def _rented(self) -> Rental:
        rental = self._renting.last()
        if rental is None or rental.over:
            raise self._is_gone()
        return rental

    def _is_gone(self) -> RentError:
        return RentError(f"{self.name} is gone", "what came home is whole; begin another: limner rent")

    def _known(self, rental: Rental) -> Box:
        """A machine that was made ready before: where it is now."""
        if rental.over or rental.stage is Stage.ENDING:
            raise self._is_gone()
        instance = self._check_life(rental)
        if instance is None or instance.host is None:
            raise BoxUnreachable(f"{self.name} has no address now", "it is tried again")
        return self._followed(box_of(rental.label, instance, rental.program))

    def _check_life(self, rental: Rental) -> Instance | None:
        """The provider's word on a machine; None where it has none for now. Raises RentError where it is gone."""
        assert rental.id is not None
        try:
            instance = self._provider.look(rental.id)
        except RentError as error:
            if isinstance(error, KeyMissing) and not self._key_told:
                self._key_told = True
                self._telling.warn(error.one_line())
            return None
        if instance is None:
            change(rental.label, stage=Stage.ENDED, ended=time.time())
            raise self._is_gone()
        if instance.state is InstanceState.BROKEN:
            raise RentError(f"{self.name} has failed: {instance.said}", "what came home is whole; begin another")
        return instance

    def _prepare(self, rental: Rental, instance: Instance) -> Box:
        """Proves that it is the one that was rented, and brings Limner and the watchdog onto it."""
        self._telling.phase(f"preparing {self.name}")
        box = box_of(rental.label, instance, rental.program)
        ssh = Ssh(box)
        self._answering(ssh, rental)
        prove(ssh, rental.label)
        self._followed(box)
        if Ssh(box).run([box.program, "--version"], seconds=120).text.split()[-1:] != [__version__]:
            box = install(box, self._telling.phase)
        left = Lease(max(1.0, rental.ends - time.time()), self._order.lease.silent, self._order.lease.look)
        own_end = self._provider.self_end()
        ssh.shell(start_script(left, own_end, DIRECTORY))
        if own_end.address:
            self._try_its_key(ssh, own_end)
        self._check(Ssh(box), box)
        change(rental.label, prepared=True, program=box.program)
        self._ticked = time.monotonic()
        return box

    def _followed(self, box: Box) -> Box:
        """The machine, told from now on that somebody follows it, whatever else is done meanwhile."""
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(min(TICK_SECONDS, 3 * self._order.lease.look))
            self._heartbeat.start()
        self._heartbeat.box = box
        return box

    def _check(self, ssh: Ssh, box: Box) -> None:
        """What its doctor says of card and torch. Raises RentError where something needed is missing."""
        for each in doctor_there(ssh, box):
            if each.failed:
                raise RentError(f"{self.name} can't train: {each.name}: {each.detail}", "begin another: limner rent")
            if not each.ok and each.name in ("gpu", "torch"):
                self._telling.warn(f"{self.name}: {each.name}: {each.detail}")

    def _try_its_key(self, ssh: Ssh, own_end: SelfEnd) -> None:
        """Tells where the machine's own key may not end it."""
        status = ssh.shell(trial_command(own_end), seconds=60).text.strip()
        if status != "200":
            self._telling.warn(
                f"{self.name} can't end itself (its provider answers {status[:20] or 'nothing'}): it costs until it is"
                " ended from here"
            )

    def _answering(self, ssh: Ssh, rental: Rental) -> None:
        """Waits until ssh answers: the address is told before the server there is up."""
        until = max(rental.asked + self._order.ready, time.time() + LOOK_SECONDS)
        while True:
            self._telling.check_stop()
            try:
                ssh.run(["true"], seconds=30)
            except BoxUnreachable as error:
                if time.time() > until:
                    raise RentError(
                        f"{self.name} was never ready: {error.what}", "begin another: limner rent"
                    ) from error
                time.sleep(LOOK_SECONDS)
            else:
                return

    # Ending

    def _over(self, state: JobState, reason: str | None) -> None:
        for rental in rentals_for(self._run):
            if not rental.over:
                outcome = {"state": state.value, "reason": reason}
                self._renting.end(change(rental.label, stage=Stage.ENDING, outcome=outcome))
