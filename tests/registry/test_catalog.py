"""Finding entries by kind and key."""

import pytest

from posezoo import registry
from posezoo.registry import PluginError, SpecError, find, resolve, resolve_pipeline


def test_entries_are_sorted_by_kind_then_key_with_numbers_in_their_order() -> None:
    keys = [entry.key for entry in registry.entries("backbone", match="resnet*")]
    assert keys == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    kinds = [entry.kind for entry in registry.entries()]
    assert kinds == sorted(kinds, key=registry.KINDS.index)


def test_a_pattern_that_fits_nothing_gives_nothing() -> None:
    assert registry.entries(match="vgg*") == []


@pytest.mark.parametrize(
    ("kind", "key", "message"),
    [
        ("lifter", "martinz", "unknown lifter 'martinz'. Did you mean 'martinez'? See: posezoo"),
        ("lifter", "zzz", "unknown lifter 'zzz'. See: posezoo list --kind lifter"),
        (None, "synthetik", "Did you mean 'synthetic'?"),
        ("backbone", "martinez", "'martinez' is a lifter, not a backbone; write it after '+'"),
        ("lifter", "hm", "'hm' is a head, not a lifter; write it after '-'"),
        ("head", "resnet50", "'resnet50' is a backbone, not a head; write it before '-'"),
        ("dataset", "separate", "'separate' is a strategy, not a dataset; give it to --strategy"),
        ("strategy", "mocap", "'mocap' is a dataset, not a strategy; give it to --data"),
        ("lift", "martinez", "unknown kind 'lift'. Did you mean 'lifter'?"),
    ],
)
def test_a_wrong_key_says_what_to_type(kind: str | None, key: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        find(kind, key)
    assert message in str(caught.value)


def test_mistakes_of_every_node_of_a_pipeline_are_reported_together() -> None:
    with pytest.raises(SpecError) as caught:
        resolve_pipeline("resnet51-hm:decode=sof+martinez:widht=2")
    assert [m.partition(".")[0] for m in caught.value.mistakes] == [
        "unknown backbone 'resnet51'",
        "head 'hm': decode: expected argmax | quarter | taylor | dark | udp | soft, got 'sof'",
        "lifter 'martinez': unknown parameter 'widht'",
    ]


def test_a_resolved_node_has_converted_parameters() -> None:
    assert resolve("lifter", "martinez:width=32,dropout=0").params == {"width": 32, "dropout": 0.0}


def test_the_users_word_wins_over_what_the_program_offers(install_plugin) -> None:
    @registry.register("dataset", "mine", summary="Mine.", licence="MIT")
    def mine(*, split: str = "train", seed: int = 0) -> tuple[str, int]:
        return split, seed

    assert resolve("dataset", "mine:split=val").build(split="train", seed=7) == ("val", 7)


def test_a_tag_that_nothing_declares_is_refused() -> None:
    with pytest.raises(SpecError, match="backbone 'resnet50' has no variant of that name"):
        resolve("backbone", "resnet50.imagenet")


def test_a_plugins_key_has_its_prefix_and_the_short_name_finds_it(install_plugin) -> None:
    install_plugin()
    assert find("lifter", "acme/graphlift") is find("lifter", "graphlift")
    assert find("lifter", "graphlift").origin == "acme-pose-acme 1.2"
    assert [entry.key for entry in registry.entries(match="graph*")] == ["acme/graphlift"]


def test_a_short_name_that_two_plugins_share_must_be_written_out(install_plugin) -> None:
    install_plugin("acme")
    install_plugin("other", package="other_pose")
    with pytest.raises(SpecError) as caught:
        find("lifter", "graphlift")
    assert str(caught.value) == (
        "'graphlift' is ambiguous: write 'acme/graphlift' (acme-pose-acme 1.2) "
        "or 'other/graphlift' (other-pose-other 1.2)"
    )


def test_a_plugin_never_shadows_a_built_in(install_plugin) -> None:
    install_plugin(stanzas='[lifter.martinez]\nentry = "a:B"\nsummary = "Mine."\nlicence = "MIT"\n')
    assert find("lifter", "martinez").origin == "posezoo"
    assert find("lifter", "acme/martinez").origin == "acme-pose-acme 1.2"


def test_two_distributions_that_claim_a_key_are_both_named_and_the_rest_works(
    install_plugin,
) -> None:
    install_plugin("acme")
    install_plugin("acme", package="other_pose")
    (problem,) = registry.problems()
    both = "the key 'acme/graphlift' is claimed by both acme-pose-acme 1.2 and other-pose-acme 1.2"
    assert both in str(problem)
    with pytest.raises(PluginError, match=both):
        find("lifter", "acme/graphlift")
    assert find("lifter", "martinez")
