"""Every quota of a process, as the manifest sets it and as it is by default: how many there can be, and the error for one more."""

import json

import pytest

import apps

LIMIT, TIMEOUT, FULL = -4, -9, -11

# Key -> what it limits, a small value, how often that can then be had, the default, likewise, and the error.
QUOTAS = {
    "max-names": ("name", 3, 3, 16, 16, LIMIT),
    "max-tags": ("tag", 4, 4, 256, 256, LIMIT),
    "max-groups": ("group", 5, 5, 256, 256, LIMIT),
    "max-ties": ("tie", 6, 6, 10000, 10000, LIMIT),
    "max-timers": ("timer", 7, 7, 1000, 1000, LIMIT),
    "max-streams": ("stream", 6, 3, 64, 32, LIMIT),  # two ends each
    "max-children": ("child", 2, 2, 1000, 1000, LIMIT),
    "max-message-bytes": ("length", 99, 100, 4194304, None, LIMIT),  # from no byte on
    "mailbox-messages": ("message", 8, 8, 10000, 10000, FULL),
    "mailbox-bytes": ("kilobyte", 9216, 9, 16777216, None, FULL),
    "stream-buffer-bytes": ("buffer", 4096, 4, 262144, 256, TIMEOUT),
}


def manifest(workshop, settings):
    return apps.app({"GET /take": "quota#take"},
                    {"quota": {"source": workshop.c("quota"), "capability": "taker"}},
                    capabilities={"taker": {"allow-spawn": ["quota"], **settings}})


def taken(node, what):
    count, error = node.get(f"/take?what={what}").text.replace("n", "").split()
    return int(count), -int(error)


@pytest.mark.parametrize("key", QUOTAS)
def test_a_quota_of_the_manifest_is_kept_exactly(serve, workshop, key):
    what, value, count, _, _, error = QUOTAS[key]
    node = serve(manifest(workshop, {key: value}))
    assert taken(node, what) == (count, error)
    assert taken(node, what) == (count, error), "each process has its own"


@pytest.mark.parametrize("key", [key for key in QUOTAS if key.startswith("max-") and key != "max-message-bytes"])
def test_a_quota_of_nothing_allows_nothing(serve, workshop, key):
    assert taken(serve(manifest(workshop, {key: 0})), QUOTAS[key][0]) == (0, QUOTAS[key][5])


def test_the_defaults_are_the_specifications(use_shared, workshop):
    node = use_shared("quotas", manifest(workshop, {}))
    for what, _, _, _, count, error in QUOTAS.values():
        if count is not None:
            assert taken(node, what) == (count, error), what


def test_check_prints_every_quota_with_its_default(home, workshop):
    home.write("mote.toml", manifest(workshop, {}))
    report = json.loads(home.run("check", "--json").out)["components"]["quota"]
    for key, (_, _, _, default, _, _) in QUOTAS.items():
        assert report[key]["value"] == default, key
