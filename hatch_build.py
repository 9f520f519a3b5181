"""Compiles `inspector/decode/_fused.c` into wheels, and in place for an editable installation.

The kernel makes decoding faster and does nothing else: where it cannot be compiled, setuptools
warns, and the package is built without it.
"""

import re
import shutil
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension

MODULE: Final = "inspector.decode._fused"
SOURCE: Final = Path("inspector", "decode", "_fused.c")

NO_GIL: Final = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
HAS_STABLE_ABI: Final = sys.implementation.name == "cpython" and not NO_GIL
"""Whether what is compiled here also serves later versions of Python."""


class Kernel(BuildHookInterface[Any]):
    """Adds the compiled module to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.folder = TemporaryDirectory()
        built = compile_kernel(Path(self.root, SOURCE), Path(self.folder.name))
        place = SOURCE.with_name(built.name)
        if version == "editable":
            Path(self.root, place).unlink(missing_ok=True)
            if built.exists():
                shutil.copy2(built, Path(self.root, place))
        elif built.exists():
            build_data["force_include"][str(built)] = str(place)
            build_data["pure_python"] = False
            if HAS_STABLE_ABI:
                build_data["tag"] = f"cp311-abi3-{re.sub('[-.]', '_', sysconfig.get_platform())}"
            else:
                build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self.folder.cleanup()


def compile_kernel(source: Path, folder: Path) -> Path:
    """Where in `folder` the compiled module is, unless it could not be compiled."""
    extension = Extension(
        MODULE,
        [str(source)],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if HAS_STABLE_ABI else [],
        py_limited_api=HAS_STABLE_ABI,
        extra_compile_args=["-O3"],  # gcc 12 makes no vectors at -O2, as which some Pythons build
        optional=True,
    )
    command = Distribution({"ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder), str(folder / "objects")
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(MODULE))
