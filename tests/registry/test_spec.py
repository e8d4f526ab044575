"""The grammar: text to a spec and back, and where it points when it cannot be read."""

import copy
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posezoo import registry
from posezoo.registry import NodeSpec, PipelineSpec, SpecError, parse_node
from posezoo.registry.spec import parse_pipeline, split_nodes

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
keys = st.builds(
    lambda plugin, name: f"{plugin}/{name}" if plugin else name, names | st.none(), names
)
tags = st.none() | st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
printable = st.characters(exclude_categories=("C", "Z")) | st.sampled_from(list(' ,"=+-[]'))
free_values = st.text(printable, max_size=12)
parameters = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def nodes(values: st.SearchStrategy[str]) -> st.SearchStrategy[NodeSpec]:
    return st.builds(NodeSpec, keys, tags, st.dictionaries(parameters, values, max_size=4))


numbers = st.sampled_from(["1e-4", "-1", "+2", "4x2", "0.25", "soft", ""])
pipelines = st.builds(
    lambda b, h, lift, form: (
        PipelineSpec(lifter=b)
        if form == "bare"
        else PipelineSpec(b, h, lift)
        if form == "heatmaps"
        else PipelineSpec(detector=b, lifter=h)
    ),
    nodes(numbers | free_values),
    nodes(numbers | free_values),
    st.none() | nodes(numbers | free_values),
    st.sampled_from(["bare", "heatmaps", "detector"]),
)


def test_a_pipeline_has_a_backbone_a_head_and_a_lifter() -> None:
    spec = parse_pipeline("resnet50.imagenet-hm:size=64,decode=soft+martinez:width=2048")
    assert spec.backbone == NodeSpec("resnet50", "imagenet")
    assert spec.head == NodeSpec("hm", None, {"size": "64", "decode": "soft"})
    assert spec.lifter == NodeSpec("martinez", None, {"width": "2048"})


def test_a_bare_key_is_a_lifter() -> None:
    assert parse_pipeline("martinez") == PipelineSpec(lifter=NodeSpec("martinez"))


def test_a_plus_alone_joins_a_detector_and_a_lifter() -> None:
    spec = parse_pipeline("blazepose:tiles=2+martinez")
    assert spec.detector == NodeSpec("blazepose", None, {"tiles": "2"})
    assert spec.lifter == NodeSpec("martinez")
    assert [*spec.nodes] == ["detector", "lifter"]


def test_a_node_alone_is_a_detector_where_the_zoo_says_so() -> None:
    spec = registry.parse_pipeline("blazepose:tiles=2")
    assert spec == PipelineSpec(detector=NodeSpec("blazepose", None, {"tiles": "2"}))
    assert registry.parse_pipeline(str(spec)) == spec
    assert registry.parse_pipeline("martinez").lifter == NodeSpec("martinez")


def test_a_detector_and_a_backbone_are_too_much() -> None:
    a = NodeSpec("a")
    with pytest.raises(SpecError, match="got detector, backbone, head"):
        PipelineSpec(a, a, None, a)


def test_a_sign_before_a_digit_belongs_to_the_value() -> None:
    spec = parse_pipeline("resnet50:a=1e-4-hm:b=-2+acme/graphlift:c=1e+5,d=3")
    assert [node.params for node in spec.nodes.values()] == [
        {"a": "1e-4"},
        {"b": "-2"},
        {"c": "1e+5", "d": "3"},
    ]
    assert spec.lifter is not None and spec.lifter.key == "acme/graphlift"


@pytest.mark.parametrize(
    "path", ["/data/my-poses.h5", r"C:\new+old\x.h5", "a=b", "with space", "-", "x:y"]
)
def test_a_path_survives_in_a_node_of_its_own(path: str) -> None:
    node = parse_node(f"mocap:path={path},split=train")
    assert node.params == {"path": path, "split": "train"}
    assert str(node) == f"mocap:path={path},split=train"


def test_the_canonical_text_has_its_parameters_in_order_of_name() -> None:
    assert str(parse_pipeline("a:z=1,b=2-b+c")) == "a:b=2,z=1-b+c"
    assert parse_pipeline("a:z=1,b=2-b") == parse_pipeline("a:b=2,z=1-b")


@settings(deadline=None)  # a busy machine is no failure
@given(pipelines)
def test_parsing_the_text_of_a_pipeline_gives_it_back(spec: PipelineSpec) -> None:
    assert parse_pipeline(str(spec)) == spec
    assert hash(parse_pipeline(str(spec))) == hash(spec)


@settings(deadline=None)  # a busy machine is no failure
@given(nodes(free_values))
def test_parsing_the_text_of_a_node_gives_it_back(spec: NodeSpec) -> None:
    assert parse_node(str(spec)) == spec


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(alphabet=string.ascii_lowercase[:3] + '019-+:=,./_" A\n\u00e9', max_size=30))
def test_any_text_is_read_or_refused_and_what_is_read_round_trips(text: str) -> None:
    for parse in (parse_pipeline, parse_node):
        try:
            spec = parse(text)
        except SpecError as error:
            assert "\n" not in str(error)
        else:
            assert parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a key"),
        ("Resnet50-hm", "at character 1: ^Resnet50-hm"),
        ("resnet50-", "at character 10: resnet50-^"),
        ("a+b+c", "at character 2: a^+b+c"),
        ("a-b-c", "unexpected '-'"),
        ("a-b+c+d", "at character 6: a-b+c^+d"),
        ("resnet50-hm:size64+martinez", "expected name=value, got 'size64'"),
        ("resnet50-hm:size64+martinez", "at character 13: resnet50-hm:^size64+martinez"),
        ("martinez:a=1,a=2", "'a' is written twice, at character 14"),
        ("martinez:", "expected name=value, got ''"),
        ("martinez:a=1,,b=2", "at character 14"),
        ("martinez:a=x\ty", "control characters"),
        ("r\u00e9snet-hm", "unexpected '\u00e9' after 'r'"),
        ("a.B-hm", "unexpected '.' after 'a'"),
        ("a/b/c", "unexpected '/' after 'a/b'"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text)
    assert message in str(caught.value)


def test_a_long_text_is_shown_around_the_mistake_only() -> None:
    with pytest.raises(SpecError) as caught:
        parse_node("mocap:" + "a=1," * 1000 + "oops" + ",b=2" * 1000)
    assert len(str(caught.value)) < 250


def test_parameters_are_set_as_a_user_would_type_them() -> None:
    node = parse_node("hm:size=64").with_params(size=32, soft=True, strides=(4, 2), sigma=None)
    assert str(node) == "hm:sigma=none,size=32,soft=true,strides=4x2"


def test_a_value_that_would_split_its_pipeline_is_quoted_in_it() -> None:
    node = NodeSpec("martinez").with_params(weights="my-file")
    assert str(node) == "martinez:weights=my-file"
    assert str(PipelineSpec(lifter=node)) == 'martinez:weights="my-file"'
    assert parse_pipeline('a:x="u+v,w"-b:y=1+martinez:weights="my-file"').lifter == node


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a,b.h5", '"a,b.h5"'),
        ("/data/a=b [1].h5", "/data/a=b [1].h5"),
        ('say "hi", you', '"say ""hi"", you"'),
        ('"', '""""'),
        ("a + b.h5", '"a + b.h5"'),
    ],
)
def test_a_comma_in_a_path_is_quoted_and_comes_back(value: str, text: str) -> None:
    node = NodeSpec("store", None, {"path": value, "split": "val"})
    assert str(node) == f"store:path={text},split=val"
    assert parse_node(str(node)) == node
    assert split_nodes(f"{node} + mocap:path=x.h5") == [str(node), "mocap:path=x.h5"]
    assert split_nodes("") == []


def test_where_a_comma_may_belong_to_the_value_the_error_says_how() -> None:
    with pytest.raises(SpecError, match=r'got .b.h5. \(a value with "," in it goes between quotes'):
        parse_node("store:path=a,b.h5")
    with pytest.raises(SpecError, match="expected one closing quote, at its end, at character 7"):
        parse_node('store:path="a,b.h5')
    with pytest.raises(SpecError, match="expected one closing quote"):
        parse_node('store:path="a"b,split=val')


@pytest.mark.parametrize(
    "make",
    [
        lambda: NodeSpec("Big"),
        lambda: NodeSpec("a", "B"),
        lambda: NodeSpec("a", None, {"1x": "2"}),
        PipelineSpec,
        lambda: PipelineSpec(backbone=NodeSpec("a")),
        lambda: PipelineSpec(head=NodeSpec("a"), lifter=NodeSpec("b")),
    ],
)
def test_a_spec_that_has_no_text_cannot_be_made(make) -> None:
    with pytest.raises(SpecError):
        make()


def test_specs_can_be_copied_with_the_model_that_holds_them() -> None:
    spec = parse_pipeline("resnet50-hm:size=64")
    assert copy.deepcopy(spec) == spec
