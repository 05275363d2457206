"""Vast by its API: https://docs.vast.ai/api-reference. Nothing of it was tried on Vast itself."""

from __future__ import annotations

from typing import Any

from engine.rent.provider import (
    LONGEST_BOOT,
    TOKEN_VARIABLE,
    Instance,
    InstanceState,
    Offer,
    OfferGone,
    Order,
    RentError,
    SelfEnd,
    Wanted,
)
from engine.rent.providers.api import Api, Refusal
from engine.rent.providers.fields import Fields

ADDRESS = "https://console.vast.ai/api/v0"

IMAGE = "vastai/pytorch:@vastai-automatic-tag"
"""Vast's own image, which most hosts have already; its torch is kept."""

BROKEN = frozenset({"exited", "unknown", "offline", "stopped"})
"""States that a machine never leaves by itself; a stopped one costs its disk."""

RUNNING = "running"

MOST_OFFERS = 64


class Vast:
    """An account at Vast.

    Args:
        key: its API key.
        address: where the API is.
        user: who logs in to machines.
    """

    name = "vast"
    title = "Vast"
    boots = True
    holds_boot = False

    def __init__(self, key: str, address: str = ADDRESS, user: str = "root") -> None:
        self._api, self._address, self._user = Api(self.title, address, key), address, user

    def offers(self, wanted: Wanted) -> list[Offer]:
        """Single machines of one card that are free now, of hosts that Vast has verified. See ``Provider.offers``."""
        question: dict[str, Any] = {
            "verified": {"eq": True},
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "num_gpus": {"eq": 1},
            "type": "on-demand",
            "disk_space": {"gte": wanted.disk_gb},
            "order": [["dph_total", "asc"]],
            "limit": MOST_OFFERS,
            "allocated_storage": wanted.disk_gb,
        }
        if wanted.memory_gb:
            question["gpu_ram"] = {"gte": int(wanted.memory_gb * 1e9 / 2**20)}
        if wanted.most_per_hour is not None:
            question["dph_total"] = {"lte": wanted.most_per_hour}
        try:
            answer = Fields(self.title, self._api.set("POST", "/bundles/", question))
        except Refusal as error:
            raise self._refused(error) from error
        found = [_offer(each) for each in answer.listed("offers")]
        found = [each for each in found if wanted.card is None or _plain(wanted.card) in _plain(each.card)]
        most = wanted.most_per_hour
        return sorted((each for each in found if most is None or each.price <= most), key=lambda each: each.price)

    def create(self, offer: Offer, order: Order) -> str:
        """See ``Provider.create``."""
        if len(order.boot) > LONGEST_BOOT:
            raise RentError(f"the script has {len(order.boot):,} letters", f"{self.title} takes {LONGEST_BOOT:,}")
        self._register(order.public_key)
        body = {
            "client_id": "me",
            "image": IMAGE,
            "disk": order.disk_gb,
            "runtype": "ssh",
            "onstart": order.boot,
            "label": order.label,
            "env": {TOKEN_VARIABLE: order.token},
            "cancel_unavail": True,
        }
        try:
            return self._api.create("PUT", f"/asks/{offer.id}/", body, "new_contract")
        except Refusal as error:
            raise OfferGone(f"{self.title} has it no more ({error.said})", "") from error

    def instances(self) -> list[Instance]:
        """See ``Provider.instances``."""
        try:
            answer = Fields(self.title, self._api.read("/instances/"))
        except Refusal as error:
            raise self._refused(error) from error
        return [self._instance(each) for each in answer.listed("instances")]

    def look(self, id: str) -> Instance | None:
        """See ``Provider.look``."""
        try:
            found = Fields(self.title, self._api.read(f"/instances/{id}/")).inner("instances")
        except Refusal as error:
            if error.status == 404:
                return None
            raise self._refused(error) from error
        return None if found is None else self._instance(found)

    def end(self, id: str) -> None:
        """See ``Provider.end``: a machine that is only stopped costs its disk."""
        try:
            self._api.set("DELETE", f"/instances/{id}/")
        except Refusal as error:
            if error.status != 404:
                raise self._refused(error) from error

    def self_end(self) -> SelfEnd:
        """A container knows its own id, and a key of its own."""
        return SelfEnd(f"{self._address}/instances/{{id}}/", "CONTAINER_ID", "CONTAINER_API_KEY")

    def _register(self, key: str) -> None:
        """Lets the key into machines that are made from now on."""
        try:
            answer = self._api.read("/ssh/")
            known = answer if isinstance(answer, list) else Fields(self.title, answer).listed("ssh_keys")
            rows = [each if isinstance(each, Fields) else Fields(self.title, each) for each in known]
            if key not in [each.key("public_key") for each in rows]:
                self._api.set("POST", "/ssh/", {"ssh_key": key})
        except Refusal as error:
            raise self._refused(error) from error

    def _refused(self, error: Refusal) -> RentError:
        return RentError(f"{self.title} refuses (HTTP {error.status}): {error.said}", "look at its console")

    def _instance(self, found: Fields) -> Instance:
        said = found.text("actual_status", "loading")
        host, port = found.host("ssh_host"), found.port("ssh_port")
        ready = said == RUNNING and host is not None and port is not None
        state = InstanceState.READY if ready else InstanceState.STARTING
        if said in BROKEN:
            state = InstanceState.BROKEN
        label = found.text("label", "")
        return Instance(found.id(), label, state, said, found.price("dph_total"), host, port, self._user)


def _offer(found: Fields) -> Offer:
    # Vast tells binary megabytes.
    memory = found.number("gpu_ram") * 2**20 / 1e9
    where = found.text("geolocation", "somewhere")
    return Offer(
        Vast.name, found.id(), found.text("gpu_name"), round(memory, 1), found.number("dph_total"), f"{where}, verified"
    )


def _plain(card: str) -> str:
    return card.lower().replace(" ", "").replace("_", "")
