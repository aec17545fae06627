"""The floor: what any design pays that keeps a record and starts a process."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: "Callable[[], None]") -> None:
    main()
    path = os.path.join(os.environ["HOME"], "record")
    handle = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(handle, b"x" * 500)
    os.close(handle)
    os.replace(f"{path}.tmp", path)
    os.posix_spawn("/bin/true", ["true"], os.environ, setsid=True)
