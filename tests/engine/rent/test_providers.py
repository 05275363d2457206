"""RunPod's and Vast's clients over real HTTP: what they ask, what they believe, and what nobody knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.remote.ssh import Ssh
from engine.rent.access import box_of, prove, public_key, token_for
from engine.rent.provider import InstanceState, KeyMissing, OfferGone, Order, Provider, RentError, Unsure, Wanted
from engine.rent.registry import provider_named, provider_with_key
from tests.support.patience import wait_until
from tests.support.rented.api_server import KEY, ApiServer, Fault
from tests.support.rented.machines import Fate


def cheapest(provider: Provider, card: str = "4090"):
    return provider.offers(Wanted(card))[0]


def test_offers_are_of_the_card_and_price_the_cheapest_first(provider: Provider) -> None:
    found = provider.offers(Wanted("rtx 4090", 20.0))
    assert [each.price for each in found] == sorted(each.price for each in found)
    assert {each.card for each in found} == {"RTX 4090"}
    assert all(25.0 < each.memory_gb < 26.0 for each in found)
    assert [each.price for each in provider.offers(Wanted("4090", most_per_hour=0.35))] == [found[0].price]
    assert provider.offers(Wanted("4090", memory_gb=60)) == []


def test_a_machine_is_created_reached_by_ssh_and_ended(provider: Provider, server: ApiServer, own_home: Path) -> None:
    label = "limner-test-7"
    made = provider.create(cheapest(provider), Order(label, public_key(), token_for(label), "echo booted > booted", 50))
    found = provider.look(made)
    assert found is not None
    assert (found.id, found.label, found.state) == (made, label, InstanceState.READY)
    ssh = Ssh(box_of(label, found))
    prove(ssh, label)
    assert ssh.run(["cat", "booted"]).text == "booted\n"
    assert [each.label for each in provider.instances()] == [label]
    provider.end(made)
    wait_until(lambda: provider.look(made) is None)
    provider.end(made)
    assert provider.instances() == []
    assert server.running() == []


def test_keys_that_are_registered_already_stay(provider: Provider, server: ApiServer, order: Order) -> None:
    server.ssh_keys = ["ssh-rsa AAAA the-user"]
    for _ in range(2):
        provider.create(cheapest(provider), order)
    assert server.ssh_keys == ["ssh-rsa AAAA the-user", order.public_key]


def test_an_offer_that_is_gone_creates_nothing(provider: Provider, server: ApiServer, order: Order) -> None:
    server.fates = [Fate.GONE]
    with pytest.raises(OfferGone):
        provider.create(cheapest(provider), order)
    assert server.machines == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="after"),
        Fault(status=500),
        Fault(status=502),
        Fault(cut="before"),
        Fault(body=b"{}"),
        Fault(body=b"<"),
    ],
    ids=str,
)
def test_a_create_without_an_answer_is_asked_once(
    provider: Provider, server: ApiServer, order: Order, fault: Fault
) -> None:
    offer = cheapest(provider)
    server.before("(POST /v2/pods|PUT /api/v0/asks)", fault)
    with pytest.raises(Unsure):
        provider.create(offer, order)
    assert server.count("(POST /v2/pods|PUT /api/v0/asks)") == 1
    made = [each.label for each in server.running()]
    assert [each.label for each in provider.instances()] == made
    assert made == ([] if fault.status or fault.cut == "before" else [order.label])


def test_questions_that_change_nothing_are_asked_again(provider: Provider, server: ApiServer) -> None:
    server.before("(GET|POST) .*(gpus|bundles)", Fault(status=503), Fault(cut="before"), Fault(429, retry_after=0))
    assert provider.offers(Wanted("4090"))


def test_a_provider_that_stays_busy_is_told_of(provider: Provider, server: ApiServer) -> None:
    server.before("GET .*(pods|instances)", *[Fault(status=429)] * 4)
    with pytest.raises(RentError, match="busy"):
        provider.instances()


def test_a_key_that_is_refused_is_named_and_never_shown(server: ApiServer, provider: Provider) -> None:
    other = provider_with_key(provider.name, "another-key-1234")
    with pytest.raises(KeyMissing, match=f"the API key of {provider.title} is refused") as error:
        other.offers(Wanted())
    assert "another-key" not in error.value.one_line()
    assert KEY not in repr(provider)


def test_without_a_key_it_is_said_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIMNER_VAST_KEY", "VAST_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeyMissing, match="set LIMNER_VAST_KEY"):
        provider_named("vast")


def test_the_key_goes_nowhere_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_VAST_KEY", KEY)
    monkeypatch.setenv("LIMNER_VAST_URL", "http://vast.example.com/api/v0")
    with pytest.raises(RentError, match="https"):
        provider_named("vast")


def test_machines_that_fail_are_told_apart(provider: Provider, server: ApiServer, order: Order) -> None:
    server.fates = [Fate.LOST, Fate.NEVER]
    offer = cheapest(provider)
    lost, never = provider.create(offer, order), provider.create(offer, order)
    states = {each.id: each.state for each in provider.instances()}
    assert states == {lost: InstanceState.BROKEN, never: InstanceState.STARTING}


def test_a_machine_ends_itself_by_its_own_key(provider: Provider, server: ApiServer, order: Order) -> None:
    made = server.machines[0] if provider.create(cheapest(provider), order) else None
    assert made is not None
    own = provider.self_end()
    command = ["curl", "-sS", "-A", "limner", "-X", "DELETE", own.address.replace("{id}", made.env[own.id_variable])]
    key = made.env[own.key_variable]
    subprocess.run([*command, "-H", f"Authorization: Bearer {key}"], check=True, capture_output=True)
    assert server.running() == []


def test_another_machine_at_the_address_is_not_believed(provider: Provider, server: ApiServer, own_home: Path) -> None:
    server.fates = [Fate.STRANGER]
    made = provider.create(cheapest(provider), Order("limner-test-8", public_key(), token_for("limner-test-8"), "", 50))
    found = provider.look(made)
    assert found is not None
    ssh = Ssh(box_of("limner-test-8", found))
    with pytest.raises(RentError, match="is not the machine that was rented"):
        prove(ssh, "limner-test-8")
