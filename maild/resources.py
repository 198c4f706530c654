"""The files shipped with maild: templates, systemd units, the example configuration.

In a wheel they lie in the package, under `_data`; in a checkout, also one installed editable, beside it. The packed
ones come first, so that a stray folder in site-packages is never taken for ours.
"""

from pathlib import Path


def resource(name: str) -> Path:
    """Return the file or folder `name`, such as "templates" or "config.example.toml".

    Raises:
        FileNotFoundError: this installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data" / name, package.parent / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"maild was installed without {name}; install it again")
