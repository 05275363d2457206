"""The job that rents a machine for a run, follows the run there, and ends the machine."""

from __future__ import annotations

from engine.jobs.worker import Context
from engine.remote.follower import Follower, end_at_signals
from engine.rent.machine import RentedMachine
from engine.rent.order import read_order
from engine.rent.registry import provider_named


def work(context: Context) -> None:
    """Until the run's end is here and the machine is gone. Raises what went wrong."""
    end_at_signals()
    order = read_order(context.args["on"]["rent"])
    Follower(context, RentedMachine(context, order, provider_named(order.offer.provider))).follow()
