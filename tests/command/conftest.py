import numpy as np
import pytest

from skfingerprint._command import main


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Three sources of 12 images each, in a folder for each source."""
    from PIL import Image

    from skfingerprint.datasets import make_fingerprint_images

    images, y = make_fingerprint_images(
        36, 3, image_shape=(32, 32, 3), strength=12, random_state=0
    )
    folder = tmp_path_factory.mktemp("sources")
    for number, place in enumerate(np.argsort(y, kind="stable")):
        file = folder / f"net-{y[place]}" / f"{number % 12:02d}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(images[place]).save(file)
    return folder


@pytest.fixture(scope="session")
def model(folder, tmp_path_factory):
    """A model of these sources, fitted by the command line."""
    pytest.importorskip("skops")
    path = tmp_path_factory.mktemp("model") / "sources.skops"
    arguments = ["fit", str(folder), "--model", str(path), "--quick"]
    assert main([*arguments, "--false-alarm-rate", "0.1"]) == 0
    return path


@pytest.fixture(scope="session")
def mixed(folder, tmp_path_factory):
    """Twenty files, and the names of those that are no whole images."""
    from PIL import Image

    mixed = tmp_path_factory.mktemp("mixed")
    good = sorted(folder.rglob("*.png"))[::3]
    for number, file in enumerate(good[:10]):
        (mixed / f"{number}.png").write_bytes(file.read_bytes())
    picture = Image.open(good[0])
    picture.save(mixed / 'a "quoted", name.jpg', quality=95)
    picture.save(mixed / "lossless.webp", lossless=True)
    (mixed / "inside").mkdir()
    picture.convert("L").save(mixed / "inside" / "grey.png")
    content = good[0].read_bytes()
    rng = np.random.default_rng(0)
    bad = {
        "empty.png": b"",
        "cut.png": content[: len(content) // 2],
        "head.png": content[:20],
        "text.txt": b"no image",
        "noise.png": rng.bytes(500),
        "noise.jpg": b"\xff\xd8\xff" + rng.bytes(500),
        "folder.svg": b"<svg/>",
    }
    for name, damaged in bad.items():
        (mixed / name).write_bytes(damaged)
    (mixed / ".hidden.png").write_bytes(content)
    assert sum(path.is_file() for path in mixed.rglob("*")) == 21
    return mixed, {str(mixed / name) for name in bad}
