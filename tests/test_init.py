"""The public names of posezoo."""

import subprocess
import sys

import pytest

import posezoo


def test_importing_posezoo_and_listing_the_zoo_does_not_import_torch() -> None:
    code = (
        "import sys, posezoo; assert posezoo.entries(kind='lifter', match='mart*')\n"
        "assert not {'torch', 'numpy', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", posezoo.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(posezoo, name) is not None
    assert name in dir(posezoo)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = posezoo.nothing


def test_a_pipeline_is_built_from_its_text() -> None:
    pipeline = posezoo.build("martinez:width=8,blocks=1")
    assert isinstance(pipeline, posezoo.Pipeline)
    assert str(pipeline.spec) == "martinez:blocks=1,width=8"
