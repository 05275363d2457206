"""RunPod by its REST API v2: https://docs.runpod.io/api-reference-v2. Nothing of it was tried on RunPod itself."""

from __future__ import annotations

from typing import Any

from engine.rent.provider import (
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

ADDRESS = "https://api.runpod.io/v2"

IMAGE = "runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04"
"""RunPod's own image, which its hosts have already; its torch is kept."""

BOOT_VARIABLE = "LIMNER_BOOT"
"""The machine's environment variable that holds the script to run first."""

START = f"bash -c 'eval \"${BOOT_VARIABLE}\"; exec /start.sh'"
"""Runs that script, then what the image runs by itself."""

CLOUDS = ("SECURE", "COMMUNITY")

MOST_PAGES = 50

GONE = "TERMINATED"
BROKEN = frozenset({"EXITED", "ERROR"})
RUNNING = "RUNNING"


class RunPod:
    """An account at RunPod.

    Args:
        key: its API key.
        address: where the API is.
    """

    name = "runpod"
    title = "RunPod"
    boots = True
    holds_boot = False

    def __init__(self, key: str, address: str = ADDRESS) -> None:
        self._api, self._address = Api(self.title, address, key), address

    def offers(self, wanted: Wanted) -> list[Offer]:
        """Kinds of cards that are in stock, in both clouds. See ``Provider.offers``."""
        found = []
        for cloud in CLOUDS:
            answer = self._read("/catalog/gpus", include="AVAILABILITY", product="POD", cloud=cloud)
            for gpu in answer.listed("gpus"):
                price = gpu.inner("price")
                hourly = price.price(cloud.lower()) if price is not None else None
                if hourly is not None and gpu.text("availability", "NONE") != "NONE":
                    found.append(_offer(gpu, cloud, hourly))
        return sorted((each for each in found if _fits(each, wanted)), key=lambda each: each.price)

    def create(self, offer: Offer, order: Order) -> str:
        """See ``Provider.create``."""
        self._register(order.public_key)
        cloud, _, gpu = offer.id.partition(":")
        body = {
            "name": order.label,
            "image": IMAGE,
            "gpu": {"id": gpu, "count": 1},
            "cloud": cloud,
            "disk": order.disk_gb,
            "ports": ["22/tcp"],
            "startSsh": True,
            "args": START,
            "env": {TOKEN_VARIABLE: order.token, BOOT_VARIABLE: order.boot},
        }
        try:
            return self._api.create("POST", "/pods", body, "id")
        except Refusal as error:
            # 4xx but for the key: nothing was made; the reason may be the stock or the order itself.
            raise OfferGone(f"{self.title} has none now ({error.said})", "") from error

    def instances(self) -> list[Instance]:
        """See ``Provider.instances``."""
        found: list[Instance] = []
        query: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self._read("/pods", **query)
            found += [each for each in map(self._instance, answer.listed("pods")) if each is not None]
            pages = answer.inner("pagination")
            cursor = pages.text("nextCursor", "") if pages is not None else ""
            if not cursor:
                return found
            query = {"cursor": cursor}
        raise RentError(f"{self.title} lists machines without end", "look at its console")

    def look(self, id: str) -> Instance | None:
        """See ``Provider.look``."""
        try:
            return self._instance(Fields(self.title, self._api.read(f"/pods/{id}")))
        except Refusal as error:
            if error.status == 404:
                return None
            raise self._refused(error) from error

    def end(self, id: str) -> None:
        """See ``Provider.end``."""
        try:
            self._api.set("DELETE", f"/pods/{id}")
        except Refusal as error:
            if error.status != 404:
                raise self._refused(error) from error

    def self_end(self) -> SelfEnd:
        """A pod knows its own id, and a key of its own."""
        return SelfEnd(f"{self._address}/pods/{{id}}", "RUNPOD_POD_ID", "RUNPOD_API_KEY")

    def _register(self, key: str) -> None:
        """Lets the key into machines that are made from now on, beside those that are registered already."""
        try:
            known = Fields(self.title, self._api.read("/account/ssh-keys")).texts("keys")
            if key not in known:
                self._api.set("PUT", "/account/ssh-keys", {"keys": [*known, key]})
        except Refusal as error:
            raise self._refused(error) from error

    def _read(self, path: str, **query: str) -> Fields:
        try:
            return Fields(self.title, self._api.read(path, **query))
        except Refusal as error:
            raise self._refused(error) from error

    def _refused(self, error: Refusal) -> RentError:
        return RentError(f"{self.title} refuses (HTTP {error.status}): {error.said}", "look at its console")

    def _instance(self, pod: Fields) -> Instance | None:
        """A pod; None: it has ended, and is listed for a while."""
        said = pod.text("status", "")
        if said == GONE:
            return None
        ssh = pod.inner("ssh")
        direct = ssh.inner("direct") if ssh is not None else None
        address: dict[str, Any] = {}
        if direct is not None:
            address = {
                "host": direct.host("host"),
                "port": direct.port("port"),
                "user": direct.user("username", "root"),
            }
        ready = said == RUNNING and address.get("host") is not None and address.get("port") is not None
        state = InstanceState.READY if ready else InstanceState.STARTING
        if said in BROKEN:
            state = InstanceState.BROKEN
        return Instance(pod.id(), pod.text("name", ""), state, said.lower(), pod.price("cost"), **address)


def _offer(gpu: Fields, cloud: str, price: float) -> Offer:
    name = gpu.text("id")
    card = gpu.text("name", name).removeprefix("NVIDIA ").removeprefix("GeForce ")
    # RunPod tells binary gigabytes as the card is sold.
    memory = gpu.number("memory") * 2**30 / 1e9
    return Offer(RunPod.name, f"{cloud}:{name}", card, round(memory, 1), price, f"{cloud.lower()} cloud")


def _fits(offer: Offer, wanted: Wanted) -> bool:
    return (
        (wanted.card is None or wanted.card.lower().replace(" ", "") in offer.card.lower().replace(" ", ""))
        and offer.memory_gb >= wanted.memory_gb
        and (wanted.most_per_hour is None or offer.price <= wanted.most_per_hour)
    )
