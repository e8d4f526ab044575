"""The README's first picture: `python -m benchmarks.readme` makes docs/first_picture.png again.

It is what `posezoo predict` writes of the photograph, in 256 colours, which is a third of the size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from posezoo.cli import main as posezoo

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "examples" / "photographs" / "lab_view.jpg"
PICTURE = ROOT / "docs" / "first_picture.png"


def main() -> None:
    """Predict, and keep the picture."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["predict", str(PHOTOGRAPH), "--out", folder]
        result = CliRunner().invoke(posezoo, command, catch_exceptions=False)
        print(result.output, end="")
        if result.exit_code:
            raise SystemExit(result.exit_code)
        drawn = Image.open(Path(folder) / f"{PHOTOGRAPH.stem}.png").convert("RGB")
    drawn.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
