"""No tracking: as much is imported and called as the program itself needs for any system."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: "Callable[[], None]") -> None:
    main()
